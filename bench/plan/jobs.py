"""What one worker process is to do, as JSON, and which cases share a process."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bench.core.allocator import Allocator
from bench.core.architecture import Model, Weights
from bench.core.case import Case
from bench.core.measure import Measure, Processes
from bench.core.suite import Sampling


@dataclass(frozen=True)
class Source:
    """Where a worker takes a model's weights: a directory or none, pretrained or random."""

    directory: str | None
    weights: Weights


@dataclass(frozen=True)
class Job:
    """All that one worker process is to do; it travels there as JSON."""

    measure: Measure
    process: int
    cases: tuple[Case, ...]
    models: tuple[Model, ...]
    sources: dict[str, Source]
    threads: int
    seed: int
    budgets_s: dict[str, float]
    """By group, seconds of rounds of all its cases together; only what is timed has any."""
    precision: float
    """Half a log-ratio's interval at which a group ends before its budget; 0 for never."""
    allocator: Allocator = Allocator.SYSTEM
    text: str | None = None
    memory_limit: int | None = None

    def groups(self) -> list[list[Case]]:
        """Cases that differ only by model, together: these are sampled in turn."""
        ordered: dict[str, list[Case]] = {}
        for case in self.cases:
            ordered.setdefault(case.group, []).append(case)
        return list(ordered.values())


def job_batches(cases: Iterable[Case], measure: Measure) -> list[list[Case]]:
    """Cases split by worker process: one each for what needs it alone, else shared.

    All cases of a group share one. Others share it too where they differ in nothing but their
    workload: so cases of different devices, variants or threads meet only to be compared.
    """
    chosen = [c for c in cases if c.measure == measure]
    if measure.alone:
        return [[case] for case in chosen]

    def setting(case: Case) -> list[str]:
        # Without the suite, which is first, and the workload, which is last.
        return case.group.split("/")[1:-2]

    return [list(batch) for _, batch in groupby(sorted(chosen, key=setting), key=setting)]


def processes_of(measure: Measure, sampling: Sampling) -> int:
    """Processes per case at most; for a search, about as many as it will try."""
    match measure.processes:
        case Processes.ONE:
            return 1
        case Processes.FEW:
            return min(sampling.memory_processes, sampling.processes)
        case Processes.SAMPLED:
            return sampling.processes
        case Processes.SEARCHED:
            return measure.assumed_processes


def identity(case: Case, sources: dict[str, Source]) -> dict[str, Any]:
    """A case's id and identity columns (records.IDENTITY)."""
    return {
        "case": case.id,
        "suite": case.suite,
        "model": case.model,
        "weights": sources[case.model].weights.value,
        "device": case.device,
        **case.variant.columns,
        "threads": case.threads,
        "batch_size": case.workload.batch_size,
        "seq_len": case.workload.seq_len,
    }


STARTED = "BENCH_STARTED_NS"
"""The environment variable with which a process learns when it was started."""


def start_stamp() -> dict[str, str]:
    """What a parent adds to the environment of a process it is about to start."""
    return {STARTED: str(time.monotonic_ns())}
