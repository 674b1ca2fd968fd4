"""What the interval of a ratio allows to say, and what it would take to say more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from scipy.special import stdtr, stdtrit

from bench.core.metric import Unit
from bench.core.metrics import LARGEST, metric
from bench.core.tolerance import FLOAT_NOISE
from bench.stats.intervals import CONFIDENCE, Interval
from bench.stats.moderated import PRIOR_PROCESSES

LEAST_PROCESSES = 3
"""Times of fewer processes than this give no verdict: an interval from two is a guess."""
BAND = 1.05
"""An interval around 1 that lies between 1/BAND and BAND says that two are within so much."""
MARGIN = math.log(BAND)
REPEATABLE = 1e-3
"""Peaks of memory repeat within this share from process to process."""


class Relation(Enum):
    """How a ratio lies to 1: above, below, close to it, or not known."""

    MORE = "more"
    LESS = "less"
    EQUAL = "equal"
    WITHIN = "within"
    NOT_KNOWN = "not known"


DECIDED = (Relation.MORE, Relation.LESS)


class Evidence(Enum):
    """What a ratio rests on."""

    COUNTED = "counted"
    """The same code gives the same value: no interval."""
    READ = "read"
    """A peak of memory or a largest batch: one process determines it, more give it an interval."""
    TIMED = "timed"


@dataclass(frozen=True)
class Judgement:
    """A ratio with its interval, the processes that it comes from, and what they allow to say."""

    interval: Interval
    processes: int
    evidence: Evidence
    relation: Relation

    @property
    def is_decided(self) -> bool:
        """Whether the ratio is known to be above or below 1."""
        return self.relation in DECIDED

    @property
    def is_exact(self) -> bool:
        """Whether the ratio has no interval because it needs none."""
        unbounded = math.isnan(self.interval.low) or self.interval.low == self.interval.high
        return self.evidence is not Evidence.TIMED and unbounded

    @property
    def lacks_processes(self) -> bool:
        """Whether nothing is said only because too few processes ran."""
        return self.evidence is Evidence.TIMED and self.processes < LEAST_PROCESSES

    @property
    def processes_needed(self) -> int | None:
        """About how many processes would leave 1 out, or come within the band; None if not known.

        The half width falls as 1/sqrt(processes), and the estimate may stay where it is. What is
        known already needs none.
        """
        half = _half_width(self.interval)
        if self.relation is not Relation.NOT_KNOWN or math.isnan(half):
            return None if self.relation is Relation.NOT_KNOWN else 0
        away = abs(math.log(self.interval.value))
        enough = max(away, MARGIN - away)
        # A whole interval shifts with every process: a few more than what would just do.
        wanted = math.ceil(max(self.processes, 1) * (half / enough) ** 2)
        return max(wanted, LEAST_PROCESSES, self.processes + 1)


def judge(interval: Interval, processes: int, evidence: Evidence = Evidence.TIMED) -> Judgement:
    """What may be said of a ratio: only what its whole interval says, of enough processes."""
    return Judgement(interval, processes, evidence, _relation(interval, processes, evidence))


def judge_row(row: Any) -> Judgement:
    """What may be said of a row of ratios.csv (`metric`, `ratio`, `low`, `high`, processes)."""
    return judge(Interval(row.ratio, row.low, row.high), processes_of(row), _evidence(row.metric))


def processes_of(row: Any) -> int:
    """The number of processes that a row's ratio comes from."""
    return int(row.processes)


def corrected(found: Sequence[Judgement]) -> list[Judgement]:
    """The same, for a statement about all of them together: Holm's correction for their number.

    Of many intervals of 95 % some leave 1 out by chance. A difference that does not stand up to
    the correction is taken back to what its interval says of how far from 1 it may be.
    """
    timed = {i: one for i, one in enumerate(found) if one.evidence is Evidence.TIMED}
    # With others beside it, an interval has borrowed their spread: it counts as more processes.
    borrowed = PRIOR_PROCESSES if len(timed) > 1 else 0.0
    chances = {i: _chance(one, borrowed) for i, one in timed.items()}
    kept, left = set(), len(chances)
    for i in sorted(chances, key=lambda i: chances[i]):
        if chances[i] > (1 - CONFIDENCE) / left:
            break
        kept.add(i)
        left -= 1
    return [
        one
        if i in kept or i not in chances or not one.is_decided
        else replace(one, relation=_around(one.interval))
        for i, one in enumerate(found)
    ]


def _evidence(name: str) -> Evidence:
    known = metric(name)
    if known.exact:
        return Evidence.COUNTED
    read = known.unit is Unit.BYTES or name == LARGEST
    return Evidence.READ if read else Evidence.TIMED


def _relation(interval: Interval, processes: int, evidence: Evidence) -> Relation:
    value, low, high = interval.value, interval.low, interval.high
    if evidence is not Evidence.TIMED and (math.isnan(low) or low == high):
        slack = FLOAT_NOISE if evidence is Evidence.COUNTED else REPEATABLE
        different = Relation.MORE if value > 1 else Relation.LESS
        return Relation.EQUAL if math.isclose(value, 1.0, rel_tol=slack) else different
    few = evidence is Evidence.TIMED and processes < LEAST_PROCESSES
    if few or math.isnan(low) or math.isnan(high):
        return Relation.NOT_KNOWN
    if low > 1 + FLOAT_NOISE:
        return Relation.MORE
    if high < 1 - FLOAT_NOISE:
        return Relation.LESS
    return _around(interval)


def _around(interval: Interval) -> Relation:
    """Of an interval that holds 1, or is taken to: whether it says how far away it may be."""
    if interval.high - interval.low < FLOAT_NOISE:
        return Relation.EQUAL
    inside = interval.low >= 1 / BAND and interval.high <= BAND
    return Relation.WITHIN if inside else Relation.NOT_KNOWN


def _half_width(interval: Interval) -> float:
    if not (interval.low > 0 and interval.high >= interval.low):  # NaN is neither
        return math.nan
    return math.log(interval.high / interval.low) / 2


def _chance(one: Judgement, borrowed: float) -> float:
    """How probable a ratio as far from 1 would be, were there no difference (Student's t).

    `borrowed`: degrees of freedom that its interval has from the spread of other workloads.
    """
    half = _half_width(one.interval)
    if math.isnan(half) or one.processes < LEAST_PROCESSES:
        return 1.0
    if not half:
        return 0.0 if one.is_decided else 1.0
    freedom = one.processes - 1 + borrowed
    reach = abs(math.log(one.interval.value)) / half * float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
    return 2 * float(stdtr(freedom, -reach))
