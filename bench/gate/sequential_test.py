"""The sequential test over process pairs: when to stop, and what may then be said of a case.

Two hypotheses: the sides are equal, or the candidate is slower by the threshold; the line lies
halfway. At a few planned interim analyses the *screen* clears a case when the mean log-ratio lies
below the line and a regression of the threshold's size is refuted, and suspects it when the mean
lies above the line and equality is refuted. A suspect is judged by *fresh* pairs alone, at such
analyses and by the same rule. So a false alarm needs two independent accidents, and its rate is a
product: SCREEN_ALARM per case x the confirmation's, of which the latter is set so that all cases of
a gate run together stay below FAMILY_ALARM. Misses add up: SCREEN_MISS + CONFIRM_MISS < 5 %.

The spread between pairs is not known after three of them, so that its estimate leans on what was
measured before (PRIOR_SD, with the weight of PRIOR_PAIRS pairs; Smyth 2004, moderated t), unless
the pairs themselves refute that: so noise makes a verdict late or unknown rather than wrong.
`bench noise --study` and tests/gate/test_sequential_test.py check the promised rates by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from scipy.special import gammaincinv, stdtrit

from bench.compare.findings import Verdict

ANALYSES = (3, 4, 6, 9, 13, 20, 30, 45, 68)
"""Pairs after which cases are judged (interim analyses), half as many again each time. It is
time that ends most runs in which the last of them would be needed."""
SPENDING = (0.2, 0.25, 0.2, 0.12, 0.08, 0.05, 0.04, 0.03, 0.03)
"""Share of the screen's error rates spent at each; most cases are clear at the first two."""
SCREEN_ALARM = 0.05
SCREEN_MISS = 0.03
FAMILY_ALARM = 0.008
"""Chance of a false alarm in a whole gate run; the promise is 1 %, of which a part is kept back."""
MOST_CONFIRM_ALARM = 0.015
"""However few the cases, the confirmation is no laxer than this: tails are heavier than normal."""
CONFIRM_MISS = 0.015
PRIOR_SD = 0.02
"""Spread (sd) of one pair's log-ratio: between the 1.5 % of large and the 2.4 % of small models
that were measured on a shared, loaded 2-core machine."""
PRIOR_PAIRS = 2
"""Little, so that a machine twice as noisy keeps the promised rates."""
PRIOR_REFUTED = 0.1
"""Pairs that disagree as much as this share would by chance speak for themselves alone."""
CONFIDENCE = 0.95


@lru_cache(maxsize=4096)
def quantile(tail: float, freedom: int) -> float:
    """Student's t beyond which a share `tail` lies."""
    return float(stdtrit(freedom, 1 - tail))


@lru_cache(maxsize=256)
def widest(freedom: int) -> float:
    """Squared deviations beyond which pairs refute the spread that was measured before."""
    return PRIOR_SD**2 * float(2 * gammaincinv(freedom / 2, 1 - PRIOR_REFUTED))  # chi-squared


@dataclass
class CaseTest:
    """One case's evidence: log-ratios (candidate / baseline) of process pairs, and its verdict.

    `threshold` is the smallest slowdown that must be found, as a fraction; `family` the number of
    cases in the gate run.
    """

    threshold: float
    family: int
    screen: list[float] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)
    suspected: bool = False
    verdict: Verdict | None = None

    @property
    def effect(self) -> float:
        """The log-ratio of a regression of just the threshold's size."""
        return effect(self.threshold)

    @property
    def line(self) -> float:
        """Halfway between the hypotheses."""
        return self.effect / 2

    @property
    def current(self) -> list[float]:
        """The pairs that are judged now: the screen's, or the fresh ones of a suspect."""
        return self.fresh if self.suspected else self.screen

    @property
    def errors(self) -> tuple[float, float]:
        """Rates of a false alarm and of a miss that may be spent on what is judged now."""
        if not self.suspected:
            return SCREEN_ALARM, SCREEN_MISS
        alarm = min(MOST_CONFIRM_ALARM, FAMILY_ALARM / (self.family * SCREEN_ALARM))
        return alarm, CONFIRM_MISS

    def add(self, log_ratio: float) -> None:
        """Take in one more pair, and decide where an analysis is planned."""
        if self.verdict is not None:
            return
        self.current.append(log_ratio)
        if len(self.current) in ANALYSES:
            self._analyse(ANALYSES.index(len(self.current)))

    def _analyse(self, index: int) -> None:
        found, (freedom, sd) = mean(self.current), spread(self.screen, self.fresh)
        alarm, miss = (
            quantile(rate * SPENDING[index], freedom) * sd / math.sqrt(len(self.current))
            for rate in self.errors
        )
        if found <= self.line and found + miss < self.effect:
            faster = not self.suspected and found < -self.line and found + alarm < 0
            self.verdict = Verdict.FASTER if faster else Verdict.WITHIN_NOISE
        elif found > self.line and found - alarm > 0:
            self.verdict = Verdict.SLOWER if self.suspected else None
            self.suspected = True
        elif index == len(ANALYSES) - 1:
            self.verdict = Verdict.UNKNOWN

    @property
    def pairs(self) -> int:
        """All pairs taken in."""
        return len(self.screen) + len(self.fresh)

    def more(self) -> int:
        """About how many more pairs a verdict would take, at the spread seen so far.

        Verdicts come at interim analyses alone.
        """
        freedom, sd = spread(self.screen, self.fresh)
        tail = min(self.errors) * min(SPENDING)
        enough = math.ceil((quantile(tail, freedom) * sd / self.line) ** 2)
        taken = len(self.current)
        wanted = max(enough, taken + 1)
        return next((pairs for pairs in ANALYSES if pairs >= wanted), wanted) - taken

    def interval(self) -> tuple[float, float, float]:
        """Mean ratio of all pairs with its 95 % t interval, which leans on no prior."""
        return t_interval([*self.screen, *self.fresh])


def effect(slowdown: float) -> float:
    """The log-ratio of a slowdown given as a fraction."""
    return math.log1p(slowdown)


def spread(*groups: Sequence[float]) -> tuple[int, float]:
    """Degrees of freedom and sd of one pair, from groups of pairs with a mean each.

    What was known before counts as well, unless the pairs refute it.
    """
    held = [group for group in groups if group]
    own = sum(len(group) - 1 for group in held)
    squares = sum((v - mean(group)) ** 2 for group in held for v in group)
    if own and squares > widest(own):
        return own, math.sqrt(squares / own)
    freedom = PRIOR_PAIRS + own
    return freedom, math.sqrt((PRIOR_PAIRS * PRIOR_SD**2 + squares) / freedom)


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean."""
    return math.fsum(values) / len(values)


def t_interval(logs: Sequence[float]) -> tuple[float, float, float]:
    """Ratio and its 95 % bounds from log-ratios; one alone has no bounds, none no ratio."""
    if not logs:
        return math.nan, math.nan, math.nan
    centre, n = mean(logs), len(logs)
    if n < 2:
        return math.exp(centre), math.nan, math.nan
    sd = math.sqrt(math.fsum((v - centre) ** 2 for v in logs) / (n - 1))
    half = quantile((1 - CONFIDENCE) / 2, n - 1) * sd / math.sqrt(n)
    return math.exp(centre), math.exp(centre - half), math.exp(centre + half)
