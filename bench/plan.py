"""From suites and options to cases, and from cases to jobs: what one worker process does."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from bench.errors import UsageError
from bench.formulas import forward_flops
from bench.spec import (
    DEFAULT_ATTENTION,
    TIMED,
    Architecture,
    Case,
    Dtype,
    Grid,
    Measure,
    Model,
    Sampling,
    Suite,
    Variant,
    Weights,
    Workload,
)

START_S = 7.0
"""Assumed seconds to start a worker and load the models, for the estimate before a run."""
ASSUMED_FLOPS_PER_S = 1e11
"""Assumed speed of a forward, for the same estimate: about two current CPU cores in float32."""


@dataclass(frozen=True)
class Options:
    """What the user asked for; empty tuples mean what the profile and the machine say."""

    suites: tuple[str, ...] = ()
    profile: str = "quick"
    models: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu",)
    dtypes: tuple[str, ...] = (Dtype.FLOAT32.value,)
    batch_sizes: tuple[int, ...] = ()
    seq_lens: tuple[int, ...] = ()
    threads: int = 1
    weights: Weights = Weights.AUTO
    revision: str | None = None
    seed: int = 0
    timeout_s: float = 600.0
    sampling: Sampling = field(default_factory=Sampling)
    text: str | None = None

    def __post_init__(self) -> None:
        for option, numbers in (("--batch-size", self.batch_sizes), ("--seq-len", self.seq_lens)):
            for number in numbers:
                if number < 1:
                    raise UsageError(f"{option} is {number}: give 1 or more")
        if self.threads < 1:
            raise UsageError(f"--threads is {self.threads}: give 1 or more")
        if not 0 < self.timeout_s < math.inf:
            raise UsageError(f"--timeout is {self.timeout_s:g}: give a number of seconds above 0")
        known = [d.value for d in Dtype]
        for dtype in self.dtypes:
            if dtype not in known:
                raise UsageError(f"--dtype is {dtype!r}: choose from {', '.join(known)}")


@dataclass(frozen=True)
class Source:
    """Where a worker takes a model's weights: a directory or none, pretrained or random."""

    directory: str | None
    weights: str


@dataclass(frozen=True)
class Job:
    """All that one worker process is told; it travels to it as JSON."""

    measure: Measure
    repeat: int
    cases: tuple[Case, ...]
    models: tuple[Model, ...]
    sources: dict[str, Source]
    threads: int
    seed: int
    budget_s: float
    precision: float
    text: str | None = None

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job that `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        data["measure"] = Measure(data["measure"])
        data["cases"] = tuple(case_from(c) for c in data["cases"])
        data["models"] = tuple(
            Model(
                **{**m, "architecture": m["architecture"] and Architecture(**m["architecture"])},
            )
            for m in data["models"]
        )
        data["sources"] = {name: Source(**s) for name, s in data["sources"].items()}
        return cls(**data)

    def groups(self) -> list[list[Case]]:
        """Cases that differ only by model, together: these are sampled in turn."""
        ordered: dict[str, list[Case]] = {}
        for case in self.cases:
            ordered.setdefault(case.group, []).append(case)
        return list(ordered.values())


def case_from(data: dict[str, Any]) -> Case:
    """A case from what `dataclasses.asdict` made of it."""
    return Case(
        **{
            **data,
            "measure": Measure(data["measure"]),
            "variant": Variant(**data["variant"]),
            "workload": Workload(**data["workload"]),
        }
    )


def make_cases(
    suites: Sequence[Suite], models: Sequence[Model], options: Options
) -> tuple[list[Case], list[str]]:
    """All cases of a run in the order they are measured, and a note for each workload left out.

    A workload that two suites share is measured once, under the suite named first. A workload that
    the user named and a model cannot take is an error; one from the profile is left out and noted.
    """
    cases: dict[tuple[object, ...], Case] = {}
    notes: list[str] = []
    for suite in suites:
        for device in options.devices:
            for dtype in options.dtypes:
                for workload in _grid(suite, options).workloads():
                    takers = _takers(workload, models, options, notes)
                    for model in takers:
                        case = Case(
                            suite=suite.name,
                            measure=suite.measure,
                            model=model.name,
                            variant=Variant(dtype, DEFAULT_ATTENTION),
                            workload=workload,
                            device=device,
                            threads=options.threads,
                        )
                        key = (suite.measure, model.name, case.variant, workload, device)
                        cases.setdefault(key, case)
    if not cases:
        raise UsageError("nothing to measure: no model can take any of the workloads")
    return list(cases.values()), list(dict.fromkeys(notes))


def _grid(suite: Suite, options: Options) -> Grid:
    grid = suite.grid(options.profile)
    if suite.measure is Measure.TEXT:
        return Grid(options.batch_sizes or grid.batch_sizes, grid.seq_lens)
    return Grid(options.batch_sizes or grid.batch_sizes, options.seq_lens or grid.seq_lens)


def _takers(
    workload: Workload, models: Iterable[Model], options: Options, notes: list[str]
) -> list[Model]:
    takers = []
    for model in models:
        limit = model.architecture.max_tokens if model.architecture else None
        if limit is None or workload.seq_len <= limit:
            takers.append(model)
            continue
        if workload.seq_len in options.seq_lens:
            raise UsageError(
                f"--seq-len is {workload.seq_len}: {model.name} takes at most {limit} tokens"
            )
        notes.append(
            f"{model.name} takes at most {limit} tokens: sequences of {workload.seq_len} left out"
        )
    return takers


def job_batches(cases: Iterable[Case], measure: Measure) -> list[list[Case]]:
    """Cases split by worker process: one each for memory and cold start, else shared.

    Cases of different devices, dtypes or threads never share one.
    """
    chosen = [c for c in cases if c.measure is measure]
    if measure in (Measure.MEMORY, Measure.COLD_START):
        return [[case] for case in chosen]

    def setting(case: Case) -> tuple[str, str, str, int]:
        return (case.device, case.variant.dtype, case.variant.attention, case.threads)

    return [list(batch) for _, batch in groupby(sorted(chosen, key=setting), key=setting)]


def repeats_of(measure: Measure, sampling: Sampling) -> int:
    """Fresh processes per case: counts need one, memory a few, time as many as it takes."""
    match measure:
        case Measure.STATIC:
            return 1
        case Measure.MEMORY | Measure.COLD_START:
            return min(sampling.memory_repeats, sampling.repeats)
        case _:
            return sampling.repeats


@dataclass(frozen=True)
class Estimate:
    """What a plan costs at most: worker processes and seconds."""

    processes: int
    seconds: float


def estimate(cases: Sequence[Case], models: Sequence[Model], sampling: Sampling) -> Estimate:
    """An upper bound from the budgets, with an assumed machine speed where one forward is long."""
    architectures = {m.name: m.architecture for m in models}

    def forward_s(case: Case) -> float:
        arch = architectures[case.model]
        return forward_flops(arch, case.workload) / ASSUMED_FLOPS_PER_S if arch else 1.0

    processes, seconds = 0, 0.0
    for measure in Measure:
        repeats = repeats_of(measure, sampling)
        for batch in job_batches(cases, measure):
            processes += repeats
            seconds += repeats * START_S
            for case in batch:
                if measure in TIMED:
                    # A warm-up, and two rounds of which one begins with a dropped forward.
                    least = 4 * forward_s(case)
                    seconds += max(sampling.budget_s, repeats * least)
                else:
                    seconds += repeats * 4 * forward_s(case)
    limit = sampling.max_time_s
    return Estimate(processes, min(seconds, limit) if limit else seconds)
