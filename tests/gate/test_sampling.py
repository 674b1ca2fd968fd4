"""Sampling of one case in one pair: turns, blocks, log-ratios and outputs, with scripted sides."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from gate_fakes import FakePair, slower_by

from bench.core.events import Phase
from bench.gate import sampling
from bench.gate.sampling import sample
from bench.gate.sides import Side, Turn


def test_sides_take_turns_in_balanced_order():
    """Each side goes first as often, and the first forward after a switch is marked."""
    pair = FakePair(slower_by(1.0))
    turns = sample(pair, "a", random.Random(0)).turns
    by_round = itertools.groupby(
        (t for t in turns if t.phase is not Phase.WARMUP), lambda t: t.round
    )
    firsts = [next(group).side for _, group in by_round]
    assert firsts.count(Side.BASELINE) == firsts.count(Side.CANDIDATE)
    before = None
    for turn in (t for t in turns if t.phase is not Phase.WARMUP):
        assert before is None or (turn.phase is Phase.SWITCH) == (turn.side != before)
        before = turn.side


def test_both_sides_run_blocks_of_one_size():
    """The median of a larger block would be steadier for no other reason."""
    turns = sample(FakePair(slower_by(3.0)), "a", random.Random(0)).turns
    sizes = {
        side: len([t for t in turns if t.side is side and t.phase is Phase.SAMPLE]) for side in Side
    }
    assert sizes[Side.BASELINE] == sizes[Side.CANDIDATE]


def test_sampling_stops_when_its_time_is_spent():
    """Seconds of forwards are counted, not of the clock on the wall."""
    turns = sample(FakePair(slower_by(1.0)), "a", random.Random(0)).turns
    spent = sum(t.wall_s for t in turns if t.phase is not Phase.WARMUP)
    assert sampling.SAMPLING_S <= spent < sampling.SAMPLING_S + 4


@pytest.mark.parametrize(("cpu_share", "wanted_s"), [(0.5, 16.0), (0.1, 24.0)])
def test_a_busy_machine_is_sampled_for_longer(cpu_share, wanted_s):
    """Seconds of waiting for a core do not count, up to three times the usual time."""

    class Waits(FakePair):
        def turn(self, side, case, forwards, draw):
            return [
                (wall, wall * cpu_share) for wall, _ in super().turn(side, case, forwards, draw)
            ]

    pair = Waits(slower_by(1.0))
    turns = sample(pair, "a", random.Random(0), pair.now).turns
    spent = sum(t.wall_s for t in turns if t.phase is not Phase.WARMUP)
    assert wanted_s <= spent < wanted_s + 4


def test_asking_for_short_forwards_ends_in_time():
    """Where a turn takes longer to ask for than to run, the clock on the wall ends both loops."""
    pair = FakePair(lambda *_: 1e-6, asking_s=0.05)
    turns = sample(pair, "a", random.Random(0), pair.now).turns
    limit_s = len(Side) * sampling.MOST_WARMUP_S + sampling.MOST_SAMPLING_S
    assert limit_s <= pair.now() < limit_s + 1
    assert sum(turn.phase is Phase.WARMUP for turn in turns) < 100


def test_rounds_of_short_forwards_are_not_without_number():
    """Every forward is kept: a layer that takes microseconds must not fill the disk."""
    turns = sample(FakePair(lambda *_: 1e-4), "a", random.Random(0), lambda: 0.0).turns
    assert max(turn.round for turn in turns) == sampling.MOST_ROUNDS


def test_log_ratio_is_the_median_over_rounds_of_block_medians():
    """A spoilt forward in a block, and a spoilt round, leave it as it is."""
    turns = [Turn(Side.BASELINE, Phase.SWITCH, 1, 99.0, 1)]
    for number in (1, 2, 3):
        spoilt = 5.0 if number == 2 else 0.0
        turns += [Turn(Side.BASELINE, Phase.SAMPLE, number, wall, 1) for wall in (0.1, 0.1, 0.7)]
        turns += [
            Turn(Side.CANDIDATE, Phase.SAMPLE, number, wall + spoilt, 1) for wall in (0.9, 0.2, 0.2)
        ]
    found, rounds = sampling.log_ratio(turns, "wall_s")
    assert (found, rounds) == (pytest.approx(math.log(2)), 3)


def test_the_less_steady_side_is_not_favoured():
    """The fastest forwards of a block would make the side faster that spreads more."""
    rng = random.Random(1)
    turns = [
        Turn(side, Phase.SAMPLE, number, math.exp(rng.gauss(0, sd)), 1)
        for number in range(4000)
        for side, sd in ((Side.BASELINE, 0.01), (Side.CANDIDATE, 0.05))
        for _ in range(2)
    ]
    assert sampling.log_ratio(turns, "wall_s")[0] == pytest.approx(0, abs=0.003)


def test_both_sides_end_each_round_on_inputs_that_no_other_round_had():
    """Whatever a candidate keeps of a forward, the next has other inputs; both sides the same."""
    drawn = {side: [] for side in Side}

    class Draws(FakePair):
        def turn(self, side, case, forwards, draw):
            drawn[side].append(range(draw, draw + forwards))
            return super().turn(side, case, forwards, draw)

    sample(Draws(slower_by(1.0)), "a", random.Random(0))
    rounds = {side: [draws for draws in drawn[side] if draws[0]] for side in Side}
    assert [d[0] for d in rounds[Side.BASELINE]] == [d[0] for d in rounds[Side.CANDIDATE]]
    numbers = [number for draws in rounds[Side.CANDIDATE] for number in draws]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(
    ("output", "different"),
    [
        (lambda _, draw: 1 + draw, False),
        (lambda side, draw: 1 + draw + 1e-6 * (side is Side.CANDIDATE), False),
        (lambda side, draw: 1 + draw + (side is Side.CANDIDATE), True),
        # A candidate that gives back what it computed first.
        (lambda side, draw: 1 + draw * (side is Side.BASELINE), True),
    ],
)
def test_outputs_are_compared_as_given_and_in_a_round(output, different):
    """Rounding is no difference, and a forward that was kept is one."""
    pair = FakePair(slower_by(1.0), output=output)
    assert bool(sample(pair, "a", random.Random(0)).difference) is different
