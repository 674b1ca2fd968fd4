import random
from collections import Counter
from itertools import islice
from statistics import median

import pytest
from fakes import FakeClock, FakeCuda
from hypothesis import given
from hypothesis import strategies as st

from bench.core.events import Phase
from bench.core.rounds import BLOCK_S, MAX_BLOCK, balanced_orders, block_size
from bench.worker.clock import CudaClock
from bench.worker.sampler import FIRST_INTERIM, SHORT_FORWARD_S, Limits, Sampler, median_half_width


def sampler(clock, *, budget_s=10.0, precision=0.0, seed=1):
    """A sampler that, unless told otherwise, only stops when its budget is spent."""
    return Sampler(clock, random.Random(seed), Limits(budget_s, precision))


@given(st.integers(1, 6), st.integers(0, 1000), st.integers(1, 5))
def test_each_model_stands_at_each_place_equally_often(models, seed, sets):
    """Over whole sets of orders no model is favoured by its place in the round."""
    names = [str(i) for i in range(models)]
    orders = list(islice(balanced_orders(names, random.Random(seed)), models * sets))
    assert all(sorted(order) == names for order in orders)
    for place in range(models):
        assert Counter(order[place] for order in orders) == dict.fromkeys(names, sets)


def test_orders_are_drawn_anew_for_each_set():
    """Neither model of two goes first in every set."""
    first = [o[0] for o in islice(balanced_orders(["a", "b"], random.Random(0)), 0, 40, 2)]
    assert 3 < first.count("a") < 17


@given(st.floats(0, 1e4))
def test_a_block_is_never_empty_nor_too_long(seconds):
    """A block has from one to MAX_BLOCK forwards, however long one takes."""
    assert 1 <= block_size(seconds) <= MAX_BLOCK


@given(st.floats(BLOCK_S / MAX_BLOCK, 2 * BLOCK_S / 3))
def test_a_block_lasts_about_as_long_as_planned(seconds):
    """Where several forwards fit, they fill the block to within half a forward."""
    assert abs(block_size(seconds) * seconds - BLOCK_S) <= seconds / 2 + 1e-9


def test_a_forward_is_timed_between_two_marks(clock):
    """Wall and CPU seconds are what the clock moved by, read once the device is done."""
    seen = []

    def forward():
        seen.append(clock.synchronized)
        clock.turn(0.3, cpu_s=0.6)

    clock.turn(5.0)
    timed = sampler(clock).warm_up("a", forward)[0]
    assert (timed.at_s, timed.wall_s, timed.cpu_s) == pytest.approx((5.0, 0.3, 0.6))
    assert seen[0] == 0  # never waited for inside
    assert clock.synchronized == len(seen)


def test_a_device_has_times_of_its_own_beside_the_hosts():
    """With a device a sample is its event pair on the current stream; the host's time is kept."""
    cuda = FakeCuda()
    one = sampler(CudaClock(cuda, "cuda:1"), budget_s=1e-9)
    timed = one.warm_up("a", lambda: cuda.work(1.5))[0]
    assert timed.wall_s == pytest.approx(1.5)
    assert timed.host_s is not None
    assert {stream for _, stream in cuda.recorded} == {"stream of cuda:1"}


def test_a_round_waits_once_for_a_device_and_never_in_a_block():
    """Forwards are handed over one after the other; their times are read when all are done."""
    cuda, seen = FakeCuda(), []

    def forward():
        seen.append(cuda.synchronized)
        cuda.work(0.05)

    one = sampler(CudaClock(cuda, "cuda"), budget_s=1e-9)
    timed = one.rounds({"a": forward, "b": forward}, {"a": 0.05, "b": 0.05})
    assert seen == sorted(seen)
    rounds = max(t.round for t in timed["a"])
    assert cuda.synchronized == rounds == len(set(seen))
    assert [t.wall_s for t in timed["a"]] == pytest.approx([0.05] * len(timed["a"]))


def test_what_comes_before_a_sample_is_in_no_time(clock):
    """A flush of the cache takes its time outside the marks, before every forward."""
    one = sampler(clock)
    one.before = {"a": lambda: clock.turn(7.0)}
    assert {t.wall_s for t in one.warm_up("a", clock.forward(0.4))} == {0.4}


def test_quick_forwards_warm_up_for_half_a_second(clock):
    """A 1 ms forward is repeated until half a second has passed."""
    timed = sampler(clock).warm_up("a", clock.forward(0.001))
    assert len(timed) == 500
    assert {(t.phase, t.round) for t in timed} == {(Phase.WARMUP, 0)}


def test_slower_forwards_warm_up_twice(clock):
    """The first forward of a process sets libraries up, so one is never enough."""
    assert len(sampler(clock).warm_up("a", clock.forward(0.9))) == 2


def test_a_long_forward_warms_up_by_itself(clock):
    """A forward of more than a second is not repeated only to be warm."""
    assert len(sampler(clock).warm_up("a", clock.forward(1.1))) == 1


@pytest.mark.parametrize("wall_s", [0.02, 0.1])
@pytest.mark.parametrize("leave_out", [False, True])
def test_the_first_forward_after_a_switch_is_left_out_where_it_matters(clock, wall_s, leave_out):
    """Of short forwards, and of engines that say so; a longer one is a sample like any other."""
    s = sampler(clock, budget_s=3.0)
    s.leave_out = leave_out
    forwards = {"a": clock.forward(wall_s), "b": clock.forward(wall_s)}
    for name, forward in forwards.items():
        s.warm_up(name, forward)
    samples = s.rounds(forwards, {"a": wall_s, "b": wall_s})
    timeline = sorted((t.at_s, name, t) for name, rows in samples.items() for t in rows)
    last = "b"  # the one that warmed up last
    left_out = leave_out or wall_s < SHORT_FORWARD_S
    for _, name, timed in timeline:
        assert timed.phase is (Phase.SWITCH if left_out and name != last else Phase.SAMPLE)
        last = name


def test_a_model_that_ran_on_another_workload_warms_up_once(clock):
    """Libraries are set up, and the first forward of a shape is nearly as fast as any other."""
    assert len(sampler(clock).warm_up("a", clock.forward(0.1), again=True)) == 1


def test_a_single_model_is_never_switched(clock):
    """Alone, a model has warm caches from the first block on."""
    s = sampler(clock, budget_s=2.0)
    s.warm_up("a", clock.forward(0.1))
    rows = s.rounds({"a": clock.forward(0.1)}, {"a": 0.1})["a"]
    assert {t.phase for t in rows} == {Phase.SAMPLE}
    assert max(t.round for t in rows) == len(rows) / block_size(0.1)


def test_all_models_have_blocks_of_one_size(clock):
    """A minimum of more forwards is lower: equal models near a block boundary stay equal."""
    boundary = BLOCK_S / 1.5
    warm = {"a": boundary * 0.99, "b": boundary * 1.01}
    samples = sampler(clock).rounds({n: clock.forward(s) for n, s in warm.items()}, warm)
    sizes = {
        name: Counter(t.round for t in rows if t.phase is Phase.SAMPLE)[1]
        for name, rows in samples.items()
    }
    assert sizes["a"] == sizes["b"]


def test_sampling_ends_when_the_budget_is_spent(clock):
    """Rounds go on while budget is left, and end with a whole set of orders."""
    samples = sampler(clock, budget_s=4.0).rounds(
        {"a": clock.forward(0.2), "b": clock.forward(0.2)}, {"a": 0.2, "b": 0.2}
    )
    rounds = max(t.round for t in samples["a"])
    assert rounds % 2 == 0
    assert 4.0 <= clock.wall / 1e9 < 4.0 + 2 * (0.2 * 4)
    assert rounds == max(t.round for t in samples["b"])


def test_even_without_budget_one_whole_set_is_sampled(clock):
    """A budget smaller than a forward still gives every model its samples."""
    samples = sampler(clock, budget_s=1e-9).rounds(
        {n: clock.forward(2.0) for n in "abc"}, dict.fromkeys("abc", 2.0)
    )
    assert {max(t.round for t in rows) for rows in samples.values()} == {3}


def test_precise_sampling_ends_at_the_first_look(clock):
    """Steady forwards need no more than FIRST_INTERIM rounds."""
    samples = sampler(clock, budget_s=1e6, precision=0.01).rounds(
        {"a": clock.forward(0.1), "b": clock.forward(0.2)}, {"a": 0.1, "b": 0.2}
    )
    assert max(t.round for t in samples["a"]) == FIRST_INTERIM


@pytest.mark.parametrize(
    ("models", "planned"),
    [(1, {8, 16, 32, 64, 128}), (2, {8, 16, 32, 64, 128}), (3, {9, 18, 33, 66, 129})],
)
def test_precision_ends_sampling_only_at_planned_rounds(models, planned):
    """Judged at 8, 16, 32 ... rounds, or at the first whole set after them, never between."""
    rng, ends = random.Random(11), set()
    names = [str(i) for i in range(models)]
    for seed in range(40):
        clock = FakeClock()
        noise = rng.uniform(0.01, 0.1)
        forward = clock.forward(lambda noise=noise: 1 + rng.uniform(-noise, noise))
        samples = sampler(clock, budget_s=1e4, precision=0.03, seed=seed).rounds(
            dict.fromkeys(names, forward), dict.fromkeys(names, 1.0)
        )
        ends.add(max(t.round for t in samples["0"]))
    assert ends <= planned
    assert len(ends) > 1


def test_noise_keeps_sampling_going_until_it_is_precise(clock):
    """A ratio that jumps by 20 % is not taken for precise at the first look."""
    rng = random.Random(3)
    samples = sampler(clock, budget_s=1e4, precision=0.02).rounds(
        {"a": clock.forward(1.0), "b": clock.forward(lambda: rng.uniform(0.9, 1.1))},
        {"a": 1.0, "b": 1.0},
    )
    assert max(t.round for t in samples["a"]) >= 2 * FIRST_INTERIM


def test_an_injected_slowdown_is_found_under_drift():
    """5 % more is seen as 5 % while the machine slows down by half between first and last round.

    Unpaired medians of models timed one after the other are off by far more.
    """
    clock = FakeClock()

    def under_load(seconds):
        return lambda: seconds * (1 + 0.5 * clock.wall / 60e9)

    forwards = {"a": clock.forward(under_load(0.1)), "b": clock.forward(under_load(0.105))}
    samples = sampler(clock, budget_s=60).rounds(forwards, {"a": 0.1, "b": 0.105})
    minima = {
        name: {
            r: min(t.wall_s for t in rows if t.round == r and t.phase is Phase.SAMPLE)
            for r in {t.round for t in rows}
        }
        for name, rows in samples.items()
    }
    paired = median(minima["b"][r] / minima["a"][r] for r in minima["a"])
    assert paired == pytest.approx(1.05, rel=0.004)

    clock.wall = 0
    unpaired = {}
    for name in forwards:
        timed = sampler(clock, budget_s=30).rounds({name: forwards[name]}, {name: 0.1})[name]
        unpaired[name] = median(t.wall_s for t in timed)
    assert abs(unpaired["b"] / unpaired["a"] - 1.05) > 0.1


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=200))
def test_the_half_width_lies_within_the_values(values):
    """Half an interval of the median is never wider than half the range, and never negative."""
    half = median_half_width(values)
    assert 0 <= half <= (max(values) - min(values)) / 2 + 1e-12


@pytest.mark.parametrize("rounds", [8, 16, 32])
def test_the_half_width_tells_how_far_off_a_median_is(rounds):
    """Where it is judged, the truth lies within it in at least 93 % of 1000 trials."""
    rng, held = random.Random(5), 0
    for _ in range(1000):
        values = [rng.gauss(0, 1) for _ in range(rounds)]
        held += abs(median(values)) <= median_half_width(values)
    assert held >= 930
