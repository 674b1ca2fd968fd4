"""Samples a case in one process pair: warm-up, then blocks of forwards of both sides in turn."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.core.events import Phase
from bench.core.rounds import WARMUP_FORWARDS, WARMUP_S, balanced_orders, block_size
from bench.gate.outputs import Outputs, difference
from bench.gate.sides import Pair, Side, Turn

SAMPLING_S = 8.0
"""Seconds of forwards of a case in one pair: more would not help, since processes differ for life.
"""
MOST_SAMPLING_S = 3 * SAMPLING_S
"""On the wall, where other programs take the core, or asking takes longer than a short forward."""
MOST_WARMUP_S = 3 * WARMUP_S
"""Likewise."""
LEAST_BLOCK = 2
"""Forwards of which a block's median is taken, at least."""
AS_GIVEN = 0
"""The draw of inputs that warm up: those of a user's function as it gives them."""
DRAWS = 16
"""Numbers of draws between rounds: more than a block has forwards."""
LEAST_ROUNDS = 4
"""Two balanced sets, however long a forward takes."""
MOST_ROUNDS = 1000
"""However short: processes differ by far more than their median, and every forward is kept."""


@dataclass
class Sampled:
    """What one pair says of a case: every forward, and how the outputs differ (empty: they do not).

    Outputs are compared once on the inputs as given, and once in a round drawn at random.
    """

    turns: list[Turn] = field(default_factory=list)
    difference: str = ""


def sample(
    pair: Pair, case: str, rng: random.Random, now: Callable[[], float] = time.monotonic
) -> Sampled:
    """All forwards of one case in one pair: warm-up, then rounds until SAMPLING_S has been run.

    Every forward of a round has inputs of its own, the same on both sides, so that nothing can be
    kept from one to the next.
    """
    found = Sampled()
    warm: dict[Side, float] = {}
    outputs: dict[Side, Outputs] = {}
    for side in Side:
        warmed = _warm_up(pair, side, case, now)
        warm[side] = warmed[-1].wall_s
        outputs[side] = pair.outputs(side, case)
        found.turns.extend(warmed)
    found.difference = difference(outputs[Side.BASELINE], outputs[Side.CANDIDATE])
    # Both sides run blocks of one size, so that their medians are as steady.
    size = max(LEAST_BLOCK, block_size(max(warm.values())))
    compared = rng.randint(1, LEAST_ROUNDS)
    last: Side = Side.CANDIDATE
    began, ran_s = now(), 0.0
    for count, order in enumerate(balanced_orders(list(Side), rng), start=1):
        for side in order:
            switched = side is not last
            took = pair.turn(side, case, size + switched, count * DRAWS)
            phases = [Phase.SWITCH] * switched + [Phase.SAMPLE] * size
            found.turns.extend(
                Turn(side, phase, count, wall, cpu)
                for phase, (wall, cpu) in zip(phases, took, strict=True)
            )
            last = side
            if count == compared:
                outputs[side] = pair.outputs(side, case)
            # Time in which a forward waited for its core says nothing about it.
            ran_s += sum(min(wall, cpu) for wall, cpu in took)
        if count == compared and not found.difference:
            found.difference = difference(outputs[Side.BASELINE], outputs[Side.CANDIDATE])
        balanced = count % len(Side) == 0
        enough = ran_s >= SAMPLING_S or now() - began >= MOST_SAMPLING_S or count >= MOST_ROUNDS
        if balanced and count >= LEAST_ROUNDS and enough:
            return found
    raise AssertionError("orders never end")  # pragma: no cover


def _warm_up(pair: Pair, side: Side, case: str, now: Callable[[], float]) -> list[Turn]:
    turns: list[Turn] = []
    began, ran_s = now(), 0.0
    while len(turns) < WARMUP_FORWARDS or (ran_s < WARMUP_S and now() - began < MOST_WARMUP_S):
        for wall, cpu in pair.turn(side, case, 1, AS_GIVEN):
            turns.append(Turn(side, Phase.WARMUP, 0, wall, cpu))
            ran_s += wall
    return turns


def log_ratio(turns: Sequence[Turn], column: str) -> tuple[float, int]:
    """Median over rounds of log(candidate / baseline) of block medians, and how many rounds.

    Medians and not minima: these favour the side that is less steady.
    """
    blocks: dict[int, dict[Side, list[float]]] = {}
    for turn in turns:
        if turn.phase is Phase.SAMPLE:
            sides = blocks.setdefault(turn.round, {side: [] for side in Side})
            sides[turn.side].append(getattr(turn, column))
    medians = [
        {side: statistics.median(times) for side, times in sides.items()}
        for sides in blocks.values()
        if all(sides.values())
    ]
    logs = [
        math.log(block[Side.CANDIDATE] / block[Side.BASELINE])
        for block in medians
        if min(block.values()) > 0
    ]
    return (statistics.median(logs) if logs else math.nan), len(logs)
