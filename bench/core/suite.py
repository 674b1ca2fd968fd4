"""A suite: a question, the measurement that answers it, its workloads and how long to sample."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.core.axes import Variant
from bench.core.case import Compares, Workload
from bench.core.errors import UsageError, check_seconds
from bench.core.measure import Measure

SUITE_NAME = re.compile(r"[A-Za-z0-9][\w-]*")
"""A suite's name is the first part of its cases' ids, and an argument of the command."""


@dataclass(frozen=True)
class Grid:
    """The workloads of a suite: every batch size with every sequence length."""

    batch_sizes: tuple[int, ...]
    seq_lens: tuple[int, ...]

    def __post_init__(self) -> None:
        for name, least in (("batch_sizes", 1), ("seq_lens", 0)):
            numbers = getattr(self, name)
            if not numbers or not all(type(n) is int and n >= least for n in numbers):
                raise UsageError(f"{name} is {numbers!r}: give whole numbers from {least}")

    def workloads(self) -> list[Workload]:
        """All combinations, small ones first."""
        return sorted(
            (Workload(b, s) for b in set(self.batch_sizes) for s in set(self.seq_lens)),
            key=lambda w: (w.tokens, w.batch_size),
        )


@dataclass(frozen=True)
class Suite:
    """A question, the kind of measurement that answers it, and its workloads per profile."""

    name: str
    title: str
    measure: Measure
    grids: Mapping[str, Grid] = field(hash=False)
    compares: Compares = Compares.MODELS
    variants: tuple[Variant, ...] = ()
    """What a suite that compares variants runs, the reference first; others take the options'."""
    by_default: bool = True
    """Whether `bench run` runs it when no suite is named."""

    def __post_init__(self) -> None:
        if not SUITE_NAME.fullmatch(self.name):
            raise UsageError(f"suite name {self.name!r}: give letters, digits, - and _")
        if not self.grids:
            raise UsageError(f"suite {self.name!r} has no grid: give one for a profile")

    def grid(self, profile: str) -> Grid:
        """The workloads of `profile`; a suite without that profile uses its first one."""
        return self.grids.get(profile) or next(iter(self.grids.values()))


@dataclass(frozen=True)
class Sampling:
    """How long a case is measured: fresh processes, seconds, and a fraction for `precision`."""

    processes: int = 5
    min_processes: int = 3
    precision: float = 0.02
    budget_s: float = 10.0
    """Seconds of sampling per case, in all its processes."""
    max_time_s: float | None = None
    """From the command's start to the end of measuring; processes and rounds are planned for it."""
    stops_early: bool = True
    """Whether a workload ends where its ratios are as precise as was asked."""
    memory_processes: int = 3

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise UsageError(f"--processes is {self.processes}: give 1 or more")
        if not 0 < self.precision < 1:
            raise UsageError(
                f"--precision is {self.precision:g}: give a fraction between 0 and 1, like 0.02"
            )
        check_seconds("--budget", self.budget_s)


@dataclass(frozen=True)
class Profile:
    """A named amount of work: which grid of each suite, and how long to sample."""

    name: str
    sampling: Sampling


PROFILES = {
    # Quick answers within 5 minutes on 2 cores; the limit leaves room for the tables and the page.
    "quick": Profile(
        "quick", Sampling(processes=5, budget_s=20.0, max_time_s=270.0, stops_early=False)
    ),
    "full": Profile("full", Sampling(processes=10, min_processes=5, budget_s=60.0)),
}
