"""What one worker process is told, as JSON, and which cases share a process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from bench.core.architecture import Architecture, Model
from bench.core.axes import Variant
from bench.core.case import Case, Compares, Measure, Workload
from bench.core.suite import Sampling


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


def identity(case: Case, sources: dict[str, Source]) -> dict[str, Any]:
    """A case's id and identity columns (records.IDENTITY)."""
    return {
        "case": case.id,
        "suite": case.suite,
        "model": case.model,
        "weights": sources[case.model].weights,
        "device": case.device,
        **asdict(case.variant),
        "threads": case.threads,
        "batch_size": case.workload.batch_size,
        "seq_len": case.workload.seq_len,
    }


STARTED = "BENCH_STARTED_NS"
"""The environment variable that tells a process when it was started."""


def start_stamp() -> dict[str, str]:
    """What a parent adds to the environment of a process it is about to start."""
    return {STARTED: str(time.monotonic_ns())}
