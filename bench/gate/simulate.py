"""Whole gate runs simulated on the decision rule, from a noise model or from recorded sessions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.compare.findings import Verdict
from bench.gate.sequential_test import CaseTest

Draw = Callable[[], float]
"""The log-ratio that one more process pair of a case gives."""
MOST_PAIRS = 40
"""What half an hour takes with four full-size models; what is open then is unknown."""


@dataclass(frozen=True)
class GateRun:
    """How one simulated gate run ended: a verdict per case, and the pairs it took."""

    verdicts: tuple[Verdict, ...]
    pairs: int


def gate_run(draws: Sequence[Draw], threshold: float) -> GateRun:
    """Run the rule over cases whose pairs come from `draws`, until each has a verdict."""
    tests = [CaseTest(threshold, len(draws)) for _ in draws]
    pairs = 0
    while pairs < MOST_PAIRS and any(test.verdict is None for test in tests):
        pairs += 1
        for test, draw in zip(tests, draws, strict=True):
            if test.verdict is None:
                test.add(draw())
    return GateRun(tuple(test.verdict or Verdict.UNKNOWN for test in tests), pairs)


def resampling(sessions: Sequence[float], rng: random.Random) -> Draw:
    """Pairs drawn with replacement from recorded sessions."""
    return lambda: rng.choice(sessions)


def share(runs: Sequence[GateRun], of: Callable[[GateRun], bool]) -> float:
    """The share of gate runs of which something is true."""
    return sum(map(of, runs)) / len(runs)
