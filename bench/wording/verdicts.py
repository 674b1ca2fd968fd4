"""The words for what intervals say: of one ratio, and of all timed workloads of a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bench.core.axes import unusual
from bench.core.case import Workload
from bench.core.english import several
from bench.stats.relation import Judgement, Relation, corrected, judge_row
from bench.wording.numbers import count, interval_of, percent, span, within

SLOWER, FASTER = "slower", "faster"
NOT_KNOWN, EQUAL = "not known", "equal"
USUAL_DEVICE = "cpu"
CLOSE = (Relation.WITHIN, Relation.EQUAL)
"""What is said of an interval that holds 1 and is narrow."""


def workload_of(row: Any) -> str:
    """A row's workload, `batch 1, 128 tokens`."""
    return str(Workload(row.batch_size, row.seq_len))


def place_of(row: Any) -> str:
    """A row's workload, with its device and variant where they are not the usual ones."""
    return f"{workload_of(row)}{setting(row)}"


def setting(row: Any) -> str:
    """Device and variant in brackets, where they are not the usual ones."""
    device = () if row.device == USUAL_DEVICE else (str(row.device),)
    special = (*device, *unusual(row))
    return f" ({', '.join(special)})" if special else ""


class Overall(Enum):
    """What all timed workloads together say of a model's speed."""

    SLOWER = "slower"
    FASTER = "faster"
    PARTLY_SLOWER = "partly slower"
    PARTLY_FASTER = "partly faster"
    MIXED = "mixed"
    CLOSE = "close"
    NOT_KNOWN = "not known"


def word(found: Judgement, more: str = SLOWER, less: str = FASTER) -> str:
    """The verdict of one ratio, `slower` or `within 2 %`."""
    if found.relation is Relation.WITHIN:
        return f"within {within(found.interval.low, found.interval.high)}"
    words = {Relation.MORE: more, Relation.LESS: less, Relation.EQUAL: EQUAL}
    return words.get(found.relation, NOT_KNOWN)


def change(row: Any, more: str = SLOWER, less: str = FASTER) -> str:
    """A row's verdict with its size: `3 % slower`, `within 2 %`, `not known (2 processes)`."""
    found = judge_row(row)
    if found.is_decided:
        return f"{percent(*interval_of(row))} {word(found, more, less)}"
    if found.lacks_processes:
        return f"{NOT_KNOWN} ({count(found.processes, 'process', 'processes')})"
    return word(found, more, less)


@dataclass(frozen=True)
class Speeds:
    """The timed workloads of one model against the reference, judged together.

    `found` is corrected for their number: a statement of all of them rests on it.
    """

    rows: Sequence[Any]
    found: Sequence[Judgement]

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Speeds:
        """The rows of ratios of one model and metric."""
        held = list(rows)
        return cls(held, corrected([judge_row(row) for row in held]))

    def count(self, *kinds: Relation) -> int:
        """How many workloads have one of these relations."""
        return sum(one.relation in kinds for one in self.found)

    @property
    def overall(self) -> Overall | None:
        """One word for all of them; None where nothing was timed.

        A difference at no more than half of them is only partly one.
        """
        slower, faster = self.count(Relation.MORE), self.count(Relation.LESS)
        if not self.rows:
            return None
        if slower and faster:
            return Overall.MIXED
        if not slower and not faster:
            return Overall.NOT_KNOWN if self.count(Relation.NOT_KNOWN) else Overall.CLOSE
        whole = 2 * (slower + faster) > len(self.rows)
        if slower:
            return Overall.SLOWER if whole else Overall.PARTLY_SLOWER
        return Overall.FASTER if whole else Overall.PARTLY_FASTER

    def of_kind(self, *kinds: Relation) -> list[Any]:
        """The rows of these relations."""
        pairs = zip(self.rows, self.found, strict=True)
        return [row for row, one in pairs if one.relation in kinds]

    def predicate(self, other: str, *, inverse: bool = False) -> str:
        """What is said of all of them: `is 1-13 % slower than BERT at all 5 workloads`.

        `inverse`: the ratios are of rates, of which more is higher.
        """
        more, less = ("higher", "lower") if inverse else (SLOWER, FASTER)
        level = "as high" if inverse else "as fast"
        parts: list[str] = []
        for kind, name in ((Relation.MORE, more), (Relation.LESS, less)):
            if self.count(kind):
                than = "" if parts else f" than {other}"
                parts.append(f"{self._by(kind)} {name}{than} {self._at(kind)}")
        if self.count(*CLOSE):
            than = "" if parts else f" as {other}"
            parts.append(f"{level}{than} within {self._closest()} {self._at(*CLOSE)}")
        unknown = self._at(Relation.NOT_KNOWN) if self.count(Relation.NOT_KNOWN) else ""
        if not parts:
            return f"may be {more} or {less} than {other}: not known {unknown}{self._correction()}"
        ending = f"; not known {unknown}" if unknown else ""
        return f"is {several(parts)}{ending}{self._correction()}"

    def _correction(self) -> str:
        """That a difference of one workload does not stand among so many, where that is so."""
        alone = sum(judge_row(row).is_decided for row in self.rows)
        together = self.count(Relation.MORE, Relation.LESS)
        if alone == together:
            return ""
        return f" (Holm’s correction for {len(self.rows)} comparisons)"

    def _by(self, kind: Relation) -> str:
        """From the smallest to the largest difference of a kind, `1-13 %`."""
        rows = sorted(self.of_kind(kind), key=lambda row: abs(math.log(row.ratio)))
        return span([percent(*interval_of(row)) for row in rows])

    def _closest(self) -> str:
        """How close all are that are close: by the farthest bound of any of them."""
        held = [one.interval for one in self.found if one.relation in CLOSE]
        farthest = max(held, key=lambda one: max(one.high - 1, 1 - one.low))
        return within(farthest.low, farthest.high)

    def _at(self, *kinds: Relation) -> str:
        number, total = self.count(*kinds), len(self.rows)
        if total == 1:
            return f"at {place_of(self.rows[0])}"
        at = f"at all {total} workloads"
        return at if number == total else f"at {number} of {total} workloads"
