"""The sequential decision rule: single cases by hand, and its error rates by simulation.

The noise model is what was measured on a shared, loaded 2-core machine: a spread (sd) of 1.5 % per
process pair; the rule must hold as well for tails heavier than normal and for 3 %. A simulated rate
is compared with its promise, of which the rule keeps back enough for 2,000 trials to show it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.compare.findings import Verdict
from bench.gate.sequential_test import ANALYSES, PRIOR_SD, CaseTest, spread, t_interval
from bench.gate.simulate import gate_run, share

THRESHOLD = 0.05
EFFECT = math.log1p(THRESHOLD)
CASES = 4
TRIALS = 2000
NOISE = {
    "normal, 1.5 %": lambda rng: rng.normal(0, 0.015),
    "normal, 3 %": lambda rng: rng.normal(0, 0.03),
    # Student's t of 3 degrees of freedom has a variance of 3: scaled to the same sd.
    "heavy tails, 1.5 %": lambda rng: rng.standard_t(3) * 0.015 / math.sqrt(3),
    "heavy tails, 2.5 %": lambda rng: rng.standard_t(3) * 0.025 / math.sqrt(3),
    # A pair that a burst of foreign load has spoilt, now and then.
    "1.5 % and spoilt pairs": lambda rng: rng.normal(0, 0.08 if rng.random() < 0.05 else 0.015),
}


def gate_runs(noise, slowdowns, seed=20240501):
    """Simulated gate runs, one case for each log-ratio in `slowdowns`."""
    rng = np.random.default_rng(seed)
    draws = [lambda true=true: true + NOISE[noise](rng) for true in slowdowns]
    return [gate_run(draws, THRESHOLD) for _ in range(TRIALS)]


@pytest.mark.parametrize("noise", NOISE)
def test_equal_sides_are_called_slower_in_under_1_percent_of_gate_runs(noise):
    """The family-wise error over all four cases stays below the promise, and few are unknown."""
    runs = gate_runs(noise, [0.0] * CASES)
    assert share(runs, lambda r: Verdict.SLOWER in r.verdicts) < 0.01
    assert share(runs, lambda r: Verdict.UNKNOWN in r.verdicts) < 0.01


@pytest.mark.parametrize("noise", NOISE)
def test_a_regression_of_the_threshold_is_found_in_95_percent(noise):
    """One case slower by just the threshold, three equal ones beside it."""
    runs = gate_runs(noise, [EFFECT, 0, 0, 0])
    assert share(runs, lambda r: r.verdicts[0] is Verdict.SLOWER) >= 0.95


@pytest.mark.parametrize("noise", NOISE)
def test_twice_the_threshold_is_found_in_99_percent(noise):
    """A 10 % regression at a threshold of 5 %."""
    runs = gate_runs(noise, [math.log1p(2 * THRESHOLD), 0, 0, 0])
    assert share(runs, lambda r: r.verdicts[0] is Verdict.SLOWER) >= 0.99


def test_noise_beyond_the_promise_makes_unknown_not_wrong():
    """Pairs that spread by 5 %: hardly a false alarm or a regression that is cleared."""
    rng = np.random.default_rng(1)
    equal = [lambda: rng.normal(0, 0.05)] * CASES
    at_peace = [gate_run(equal, THRESHOLD) for _ in range(TRIALS // 2)]
    assert share(at_peace, lambda r: Verdict.SLOWER in r.verdicts) < 0.015
    assert share(at_peace, lambda r: Verdict.UNKNOWN in r.verdicts) > 0.03
    slower = [lambda: rng.normal(EFFECT, 0.05), *equal[1:]]
    at_fault = [gate_run(slower, THRESHOLD) for _ in range(TRIALS // 2)]
    assert share(at_fault, lambda r: r.verdicts[0] is Verdict.WITHIN_NOISE) < 0.05


def test_equal_sides_are_soon_cleared():
    """At the noise that was measured, half of the gate runs need no more than the second look."""
    runs = gate_runs("normal, 1.5 %", [0.0] * CASES)
    assert np.median([r.pairs for r in runs]) <= ANALYSES[1]


def test_intervals_cover_the_truth_as_often_as_they_say():
    """95 % of the intervals over a fixed number of pairs contain 1."""
    rng = np.random.default_rng(1)
    bounds = [t_interval(rng.normal(0, 0.015, 5).tolist()) for _ in range(TRIALS)]
    assert 0.93 <= np.mean([low <= 1 <= high for _, low, high in bounds]) <= 0.97


def suspect():
    """A case under suspicion after three pairs that agree."""
    test = CaseTest(THRESHOLD, CASES)
    for log_ratio in (0.06, 0.065, 0.07):
        test.add(log_ratio)
    assert test.suspected
    assert test.verdict is None
    return test


def test_a_suspect_is_acquitted_by_fresh_pairs():
    """Three unlucky pairs do not turn a run red when those after them are not slower."""
    test = suspect()
    while test.verdict is None:
        test.add(0.001)
    assert test.verdict is Verdict.WITHIN_NOISE
    assert len(test.fresh) in ANALYSES


def test_a_suspect_is_confirmed_by_fresh_pairs_alone():
    """The pairs that raised the suspicion do not count towards the confirmation."""
    test = CaseTest(THRESHOLD, CASES)
    for _ in range(3):
        test.add(0.2)
    while test.verdict is None:
        test.add(0.04)
    assert test.verdict is Verdict.SLOWER
    assert len(test.fresh) in ANALYSES
    assert test.pairs == 3 + len(test.fresh)


def test_a_clear_improvement_is_faster():
    """Pairs well below the line on the other side are called faster, without confirmation."""
    test = CaseTest(THRESHOLD, CASES)
    for _ in range(3):
        test.add(-0.1)
    assert test.verdict is Verdict.FASTER


def test_wild_pairs_end_unknown_and_say_how_many_more():
    """When the last planned look does not decide, the rule does not guess."""
    test = CaseTest(THRESHOLD, CASES)
    for i in range(ANALYSES[-1]):
        assert test.verdict is None
        test.add(0.5 if i % 2 else -0.5)
    assert test.verdict is Verdict.UNKNOWN
    assert test.more() > ANALYSES[-1]


@pytest.mark.parametrize("taken", [5, 14, 21, 46])
def test_more_pairs_reach_to_the_next_look(taken):
    """Between looks no verdict comes, however near it is."""
    test = CaseTest(THRESHOLD, CASES, screen=[0.02, 0.03] * (taken // 2) + [0.025] * (taken % 2))
    assert taken + test.more() in ANALYSES


def test_more_cases_ask_for_more_confirmation():
    """The family-wise error is shared out over the cases."""
    few, many = (CaseTest(THRESHOLD, family, suspected=True) for family in (4, 50))
    assert many.errors[0] < few.errors[0]
    assert many.errors[1] == few.errors[1]


def test_fresh_pairs_that_disagree_ask_for_more_of_them():
    """A confirmation is no easier than the screen: the first look decides nothing by itself."""
    test = suspect()
    for log_ratio in (0.2, -0.1, 0.1):
        test.add(log_ratio)
    assert test.verdict is None
    assert test.more() > 1


def test_fresh_pairs_that_never_agree_end_unknown():
    """The confirmation is truncated as well, and says how many more it would take."""
    test = suspect()
    while test.verdict is None:
        test.add(0.03 + (0.4 if test.pairs % 2 else -0.4))
    assert test.verdict is Verdict.UNKNOWN
    assert len(test.fresh) == ANALYSES[-1]
    assert test.more() > 0


def test_a_great_slowdown_is_confirmed_in_great_noise():
    """Far beyond the line, equality is soon refuted though the spread is not known well."""
    test = suspect()
    while test.verdict is None:
        test.add(0.5 + (0.15 if test.pairs % 2 else -0.15))
    assert test.verdict is Verdict.SLOWER
    assert len(test.fresh) <= ANALYSES[2]


def test_what_was_measured_before_counts_until_pairs_refute_it():
    """Three pairs lean on the prior spread, unless they disagree far more than it allows."""
    freedom, sd = spread([0.0, 0.01, -0.01])
    assert (freedom, 0.01 < sd < PRIOR_SD) == (4, True)
    assert spread([0.0, 0.1, -0.1]) == (2, pytest.approx(0.1))
    assert spread([0.0, 0.1, -0.1], [5.0, 5.1, 4.9]) == (4, pytest.approx(0.1))
