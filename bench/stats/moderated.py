"""Intervals from few processes, which borrow spread from the run's other workloads.

A moderated t (Smyth 2004): the common spread of a run's workloads counts as one more process of
each. Student's t of 2 processes alone is either far too wide or, where both happen to agree, so
narrow that it rarely holds the truth. A workload that spreads significantly more than the others
speaks for itself and lends nothing.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from scipy.special import fdtri

from bench.stats.intervals import FloatArray, Interval, student

PRIOR_PROCESSES = 1.0
"""What the common spread counts for; 2 would cover 0.5-3 points less at 2 processes."""
REFUTED = 0.05
"""Significance of the F test of one workload's spread against all the others'."""
ERROR_OF_MEDIAN = math.pi / 2
"""Standard error of a normal sample's median, over its mean absolute deviation / sqrt(n)."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Centre:
    """One process's log value: the median over its rounds, and what these leave open.

    `deviation` is the mean absolute deviation of the `rounds` rounds from their median.
    """

    log: float
    deviation: float = 0.0
    rounds: int = 1

    @property
    def variance(self) -> float:
        """Of the median, as far as the rounds show; one round shows nothing.

        From absolute deviations, since a stalled forward would rule their squares.
        """
        if self.rounds < 2:
            return 0.0
        return (ERROR_OF_MEDIAN * self.deviation) ** 2 / (self.rounds - 1)


def centre(logs: FloatArray) -> Centre:
    """The centre of one process's rounds, given as logs."""
    median = float(np.median(logs))
    return Centre(median, float(np.mean(np.abs(logs - median))), len(logs))


def intervals(processes: Mapping[Key, Sequence[Centre]]) -> dict[Key, Interval]:
    """Per workload the mean of its processes' logs, between 95 % bounds; all are logs.

    The bounds are never narrower than the rounds themselves allow. Those of a single process are
    its rounds' alone where no other workload has two: they know nothing of other processes.
    """
    halves = half_widths({key: [one.log for one in found] for key, found in processes.items()})
    return {key: _interval(found, halves[key]) for key, found in processes.items()}


def _interval(processes: Sequence[Centre], half: float) -> Interval:
    value = math.fsum(one.log for one in processes) / len(processes)
    half = max((h for h in (half, within(processes)) if not math.isnan(h)), default=math.nan)
    return Interval(value, value - half, value + half)


def within(processes: Sequence[Centre]) -> float:
    """Half the 95 % interval of the mean of medians as the rounds alone have it; NaN of too few."""
    freedom = sum(one.rounds - 1 for one in processes)
    if not freedom:
        return math.nan
    variance = math.fsum(one.variance for one in processes) / len(processes) ** 2
    return student(freedom) * math.sqrt(variance)


def half_widths(logs: Mapping[Key, Sequence[float]]) -> dict[Key, float]:
    """Half the 95 % interval of each workload's mean log over processes; NaN where unknown."""
    spreads = {key: _Spread.of(values) for key, values in logs.items()}
    alone = _refuted(spreads)
    lent = {k: s for k, s in spreads.items() if k not in alone and s.freedom}
    common = _Spread.sum(lent.values())
    return {
        key: _half_width(own, common if key not in alone and len(lent) - (key in lent) else None)
        for key, own in spreads.items()
    }


@dataclass(frozen=True)
class _Spread:
    """Squared deviations of the logs of one or more workloads, and their degrees of freedom."""

    squares: float
    freedom: float

    @classmethod
    def of(cls, values: Sequence[float]) -> _Spread:
        middle = math.fsum(values) / len(values)
        return cls(math.fsum((v - middle) ** 2 for v in values), len(values) - 1)

    @classmethod
    def sum(cls, parts: Iterable[_Spread]) -> _Spread:
        held = list(parts)
        return cls(math.fsum(p.squares for p in held), sum(p.freedom for p in held))

    @property
    def variance(self) -> float:
        return self.squares / self.freedom if self.freedom else math.nan


def _half_width(own: _Spread, common: _Spread | None) -> float:
    """Of the mean of `own`'s values, with the `common` spread as one more process of it."""
    count, freedom = own.freedom + 1, own.freedom
    if common is not None:
        squares = own.squares + PRIOR_PROCESSES * common.variance
        own = _Spread(squares, own.freedom + PRIOR_PROCESSES)
        freedom = min(own.freedom, common.freedom)
    return student(freedom) * math.sqrt(own.variance / count) if freedom else math.nan


def _refuted(spreads: Mapping[Key, _Spread]) -> set[Key]:
    """Workloads that spread so much more than the others that it is hardly chance."""
    every = _Spread.sum(spreads.values())
    found = set()
    for key, own in spreads.items():
        rest = _Spread(every.squares - own.squares, every.freedom - own.freedom)
        if own.freedom and rest.freedom:
            bound = _f_bound(own.freedom, rest.freedom)
            if own.variance > max(rest.variance, 0.0) * bound:
                found.add(key)
    return found


@cache
def _f_bound(freedom: float, of_rest: float) -> float:
    return float(fdtri(freedom, of_rest, 1 - REFUTED))
