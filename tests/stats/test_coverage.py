import math

import numpy as np
import pytest
from fakes import pair, write_run

from bench.core.errors import UsageError
from bench.stats.coverage import Rule, Workload, is_wrong, recorded, simulate
from bench.stats.intervals import Interval

RNG = np.random.default_rng(2)
NORMAL = [
    Workload(name, [luck + RNG.normal(0, 0.01, 5) for luck in RNG.normal(0, 0.006, 20)])
    for name in "abc"
]


def test_normal_noise_is_covered_and_rarely_called_a_difference():
    """Few draws of five processes: most intervals hold the truth, and few sentences are wrong."""
    (row,) = simulate({"normal": NORMAL}, 100, [Rule(5)])
    assert 0.9 <= row.worst_coverage <= row.coverage
    assert row.wrong[1.0] <= row.worst_wrong[1.0] <= 0.1
    assert row.wrong[1.06] == 0


def test_more_processes_make_intervals_narrower():
    """And two give no verdict, however wrong it would be."""
    two, eight = simulate({"normal": NORMAL}, 30, [Rule(2), Rule(8)])
    assert eight.half_width < two.half_width
    assert set(two.wrong.values()) == {0}


def test_the_same_runs_are_simulated_every_time():
    """Whoever asks twice gets one answer."""
    first, again = (list(simulate({"normal": NORMAL}, 5, [Rule(3)])) for _ in range(2))
    assert first == again


def test_a_run_ends_where_it_is_precise():
    """The rule's interim analyses stop quiet workloads at once, and none that is noisy."""
    (quiet,) = simulate({"n": NORMAL}, 20, [Rule(9, precision=1.0)])
    (three,) = simulate({"n": NORMAL}, 20, [Rule(3)])
    (never,) = simulate({"n": NORMAL}, 20, [Rule(9, precision=1e-9)])
    assert quiet.half_width > 1.2 * never.half_width
    assert quiet.half_width == pytest.approx(three.half_width, rel=0.5)


@pytest.mark.parametrize(
    ("bounds", "truth", "wrong"),
    [
        ((0.01, 0.03), 1.0, True),
        ((-0.03, -0.01), 1.02, True),
        ((0.01, 0.03), 1.06, False),
        ((-0.01, 0.03), 1.0, False),
    ],
)
def test_a_wrong_sentence_names_another_direction(bounds, truth, wrong):
    """An interval that misses the truth and leaves its side of 1 alone says nothing wrong."""
    found = Interval(sum(bounds) / 2, *bounds)
    assert is_wrong(found, 3, math.log(truth)) is wrong
    assert not is_wrong(found, 2, math.log(truth))


def test_noise_is_read_from_runs_and_from_studies(tmp_path):
    """A run gives the rounds of each process, a study the medians of A/A pairs."""
    one, other = (c.id for c in pair())
    write_run(tmp_path / "run", pair(), {one: [[1.0] * 3] * 2, other: [[1.1, 1.2, 1.3]] * 2})
    study = tmp_path / "study"
    study.mkdir()
    (study / "pairs.csv").write_text(
        "case,pair,stage,wall_log_ratio,cpu_log_ratio,rounds,baseline_mean_s,candidate_mean_s\n"
        "a,1,slower-0.00,0.01,0.01,9,1,1\na,2,equal,0.02,0.01,9,1,1\na,3,slower-0.05,9,9,9,1,1\n"
    )
    found = recorded(tmp_path)
    assert [len(rounds) for rounds in found["run"][0].processes] == [3, 3]
    assert [rounds.tolist() for rounds in found["study"][0].processes] == [[0.01], [0.02]]


def test_without_recorded_noise_there_is_nothing_to_simulate(tmp_path):
    """The message says what to keep."""
    with pytest.raises(UsageError, match="bench baseline"):
        recorded(tmp_path)
