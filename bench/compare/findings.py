"""What a comparison concludes: one verdict per case and metric, and the exit code of them all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from bench.core.errors import NothingMeasuredError


class Format(str, Enum):
    """How a comparison is written to standard output."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    JUNIT = "junit"


class Verdict(str, Enum):
    """The conclusion about one case and metric."""

    EQUAL = "equal"
    CHANGED = "changed"
    DIFFERENT = "different"
    FASTER = "faster"
    WITHIN_NOISE = "within noise"
    SLOWER = "slower"
    UNKNOWN = "unknown"
    INCOMPARABLE = "incomparable"
    MISSING = "missing"
    NEW = "new"
    FAILED = "failed"


RED = frozenset({Verdict.CHANGED, Verdict.DIFFERENT, Verdict.SLOWER, Verdict.MISSING})
"""Verdicts that say something got worse, or is not what was promised: exit code 1."""
UNMEASURED = frozenset({Verdict.FAILED})
"""Verdicts of what should have been measured and could not be: exit code 3."""
UNJUDGED = frozenset({Verdict.INCOMPARABLE, Verdict.NEW})
"""Verdicts that rest on no comparison at all."""


@dataclass(frozen=True)
class Finding:
    """What was found of one case and metric; values in `unit`, NaN where there is none.

    `ratio`, `low` and `high` are candidate / baseline with its 95 % interval. `threshold` is the
    share that it was judged by. What is `advice` fails nothing.
    """

    case: str
    metric: str
    verdict: Verdict
    unit: str = ""
    baseline: float = math.nan
    candidate: float = math.nan
    ratio: float = math.nan
    low: float = math.nan
    high: float = math.nan
    note: str = ""
    threshold: float = math.nan
    advice: bool = False

    @property
    def is_red(self) -> bool:
        """Whether it says that something got worse, and fails the command."""
        return self.verdict in RED and not self.advice


@dataclass(frozen=True)
class Comparison:
    """All findings of one command, between two named sides.

    `gate` is true where both errors are promised: there, not knowing is a failure to measure.
    """

    baseline: str
    candidate: str
    findings: Sequence[Finding]
    gate: bool
    notes: Sequence[str] = field(default_factory=tuple)
    parts: Sequence[Comparison] = field(default_factory=tuple)
    """The gates that this joins, if it does: each has to hold by itself."""

    @property
    def failing(self) -> list[Finding]:
        """The findings for which the exit code is not 0, the red ones first."""
        unmeasured = self._unmeasured()
        found = [f for f in self.findings if f.is_red or f.verdict in unmeasured]
        return sorted(found, key=lambda f: not f.is_red)

    def exit_code(self) -> int:
        """0: nothing got worse; 1: something did; 3: something could not be measured."""
        if self.parts:
            codes = {part.exit_code() for part in self.parts}
            return 1 if 1 in codes else max(codes)
        if any(f.is_red for f in self.findings):
            return 1
        if {f.verdict for f in self.findings} & self._unmeasured() or self.is_void:
            return NothingMeasuredError.exit_code
        return 0

    @property
    def is_void(self) -> bool:
        """Whether nothing was compared at all."""
        return {f.verdict for f in self.findings} <= UNJUDGED

    def conclusion(self) -> str:
        """The whole comparison in one sentence."""
        counts = {v: sum(f.verdict is v for f in self.findings) for v in Verdict}
        listed = ", ".join(f"{n} {v.value}" for v, n in counts.items() if n)
        if not listed:
            return "Nothing was compared."
        used = self.thresholds()
        threshold = f" Threshold: {used}." if used else ""
        return f"{len(self.findings)} compared: {listed}.{threshold}"

    def thresholds(self) -> str:
        """The thresholds in force, the one of most findings first; empty where none was."""
        used = Counter(f.threshold for f in self.findings if not math.isnan(f.threshold))
        texts = [as_percent(threshold) for threshold, _ in used.most_common()]
        others = f" (some cases: {', '.join(texts[1:])})" if texts[1:] else ""
        return "".join(texts[:1]) + others

    def _unmeasured(self) -> frozenset[Verdict]:
        return UNMEASURED | {Verdict.UNKNOWN} if self.gate else UNMEASURED


def as_percent(share: float) -> str:
    """A share as `--threshold` takes it: `5%`, `0.5%`."""
    return f"{share * 100:g}%"


def joined(comparisons: Sequence[Comparison]) -> Comparison:
    """Several gates' findings as one comparison; what any of them promises holds for all.

    A gate that compared nothing is reported: beside another's findings it would not be seen.
    """
    if len(comparisons) == 1:
        return comparisons[0]
    void = [c for c in comparisons if c.is_void]
    return Comparison(
        " and ".join(c.baseline for c in comparisons),
        " and ".join(c.candidate for c in comparisons),
        [finding for c in comparisons for finding in c.findings],
        gate=any(c.gate for c in comparisons),
        notes=[
            *(note for c in comparisons for note in c.notes),
            *(f"nothing could be compared between {c.baseline} and {c.candidate}" for c in void),
        ],
        parts=comparisons,
    )
