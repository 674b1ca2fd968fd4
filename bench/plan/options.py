"""What the user asked for, and from cases to jobs: what one worker process does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from itertools import groupby
from typing import Any

from bench.core.axes import Attention, Backend, Cache, Compile, Dtype, Head, Variant
from bench.core.case import (
    TIMED,
    Architecture,
    Case,
    Compares,
    Measure,
    Model,
    Sampling,
    Weights,
    Workload,
)
from bench.core.errors import UsageError, check_seconds
from bench.core.flops import forward_flops

START_S = 7.0
"""Assumed seconds to start a worker and load the models, for the estimate before a run."""
ASSUMED_FLOPS_PER_S = 1e11
"""Assumed speed of a forward, for the same estimate: about two current CPU cores in float32."""
ENERGY_S = 3.0
"""Seconds of a forward on CUDA over which its energy is counted, once: the counter moves every
20-100 ms, which is a few percent of that."""
TRIES = 14
"""Assumed processes until the largest batch is found."""
MOST_THREADS = 1024
"""Above the cores of any one machine; OpenMP cannot start some ten thousands, and dies of it."""


DEVICE = re.compile(r"cpu|cuda(:\d+)?")
MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Options:
    """What the user asked for; empty tuples mean what the profile and the machine say."""

    suites: tuple[str, ...] = ()
    profile: str = "quick"
    models: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu",)
    dtypes: tuple[str, ...] = ()
    attentions: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    compiles: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    batch_sizes: tuple[int, ...] = ()
    seq_lens: tuple[int, ...] = ()
    threads: int = 1
    weights: Weights = Weights.AUTO
    revision: str | None = None
    seed: int = 0
    timeout_s: float = 600.0
    sampling: Sampling = field(default_factory=Sampling)
    text: str | None = None
    memory_limit: int | None = None
    """Bytes, for the largest batch that fits."""

    def __post_init__(self) -> None:
        for option, numbers in (("--batch-size", self.batch_sizes), ("--seq-len", self.seq_lens)):
            for number in numbers:
                if number < 1:
                    raise UsageError(f"{option} is {number}: give 1 or more")
        if not 0 <= self.seed <= MOST_SEED:
            raise UsageError(f"--seed is {self.seed}: give a number from 0 to {MOST_SEED}")
        if self.threads < 1:
            raise UsageError(f"--threads is {self.threads}: give 1 or more")
        if self.threads > MOST_THREADS:
            raise UsageError(f"--threads is {self.threads}: give {MOST_THREADS} or fewer")
        check_seconds("--timeout", self.timeout_s)
        for device in self.devices:
            if not DEVICE.fullmatch(device):
                raise UsageError(f"--device is {device!r}: give cpu, cuda or cuda:N")
        self._check_axes()

    def _check_axes(self) -> None:
        for option, asked, kind in self._axes():
            known = [str(word.value) for word in kind]
            for word in asked:
                if word not in known:
                    raise UsageError(f"{option} is {word!r}: choose from {', '.join(known)}")

    def _axes(self) -> tuple[tuple[str, tuple[str, ...], type[Enum]], ...]:
        """The axes of a variant: option, what was asked for, and what there is."""
        return (
            ("--dtype", self.dtypes, Dtype),
            ("--attention", self.attentions, Attention),
            ("--backend", self.backends, Backend),
            ("--compile", self.compiles, Compile),
            ("--head", self.heads, Head),
            ("--cache", self.caches, Cache),
        )


SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 2 ** (10 * power) for power, letter in enumerate("KMGT", start=1)
}
"""What the letters before a B stand for."""


def parse_bytes(option: str, text: str) -> int | None:
    """Bytes from `2GB`, `1.5 GiB` or `800000000`; None where nothing was given."""
    if not text.strip():
        return None
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?(|[kMGT]|[KMGT]i)B?", text.strip())
    size = int(float(found[1]) * SIZES[found[2]]) if found else 0
    if not size:
        raise UsageError(f"{option} is {text!r}: give a size like 2GB, 1.5GiB or 800MB")
    return size


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
    memory_limit: int | None = None

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
            "compares": Compares(data["compares"]),
        }
    )


def job_batches(cases: Iterable[Case], measure: Measure) -> list[list[Case]]:
    """Cases split by worker process: one each for what concerns memory and starting, else shared.

    All cases of a group share one. Others share it too where they differ in nothing but their
    workload: so cases of different devices, variants or threads meet only to be compared.
    """
    chosen = [c for c in cases if c.measure is measure]
    if measure in (Measure.MEMORY, Measure.COLD_START, Measure.CAPACITY):
        return [[case] for case in chosen]

    def setting(case: Case) -> list[str]:
        # Without the suite, which is first, and the workload, which is last.
        return case.group.split("/")[1:-2]

    return [list(batch) for _, batch in groupby(sorted(chosen, key=setting), key=setting)]


def repeats_of(measure: Measure, sampling: Sampling) -> int:
    """Fresh processes per case: counts need one, memory a few, time as many as it takes."""
    match measure:
        case Measure.STATIC | Measure.CAPACITY:
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
        return (
            forward_flops(arch, case.workload, case.variant.head) / ASSUMED_FLOPS_PER_S
            if arch
            else 1.0
        )

    processes, seconds = 0, 0.0
    for measure in Measure:
        repeats = TRIES if measure is Measure.CAPACITY else repeats_of(measure, sampling)
        for batch in job_batches(cases, measure):
            processes += repeats
            seconds += repeats * START_S
            for case in batch:
                if measure in TIMED:
                    # A warm-up, and two rounds of which one begins with a dropped forward.
                    least = 4 * forward_s(case)
                    seconds += max(sampling.budget_s, repeats * least)
                    seconds += ENERGY_S if case.device.startswith("cuda") else 0.0
                else:
                    seconds += repeats * 4 * forward_s(case)
    limit = sampling.max_time_s
    return Estimate(processes, min(seconds, limit) if limit else seconds)
