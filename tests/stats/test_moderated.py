import math

import numpy as np
import pytest
import scipy.stats

from bench.stats.moderated import Centre, centre, half_widths, intervals, within

REFERENCE = (
    (
        "two processes each",
        {
            "a": [0.050205, 0.058158],
            "b": [0.057348, 0.046938],
            "c": [0.048212, 0.046836],
            "d": [0.053418, 0.049664],
            "e": [0.054481, 0.038916],
        },
        {
            "a": 0.018582834,
            "b": 0.021206818,
            "c": 0.014259583,
            "d": 0.015217285,
            "e": 0.027560662,
        },
    ),
    (
        "one wild",
        {
            "a": [0.059399, 0.049421, 0.054082],
            "b": [0.049181, 0.047725, 0.052779],
            "c": [0.214903, 0.009494, 0.019443],
            "d": [0.054114, 0.044778, 0.040914],
        },
        {"a": 0.009233872, "b": 0.006663119, "c": 0.287732163, "d": 0.011524718},
    ),
    (
        "one of a single process",
        {
            "a": [0.05237],
            "b": [0.045977, 0.038478, 0.045116, 0.047194, 0.042841],
            "c": [0.041045, 0.05022, 0.055383, 0.048601],
        },
        {"a": 0.059343681, "b": 0.004269749, "c": 0.007832836},
    ),
    ("single processes alone", {"a": [0.045538], "b": [0.05231]}, {"a": math.nan, "b": math.nan}),
    (
        "two, of which one wild",
        {
            "a": [0.049186, 0.050348, 0.050248, 0.051099, 0.048715, 0.049338, 0.049162, 0.048266],
            "b": [0.056322, 0.07639, 0.01306, 0.119282, 0.091096, 0.081369, 0.070085, 0.097783],
        },
        {"a": 0.000786615, "b": 0.026413686},
    ),
)
"""Log-ratios and the half widths that the reference implementation gives them."""


@pytest.mark.parametrize(
    ("logs", "expected"), [row[1:] for row in REFERENCE], ids=[row[0] for row in REFERENCE]
)
def test_half_widths_are_those_of_the_reference(logs, expected):
    """The figures of the implementation whose coverage was simulated."""
    assert half_widths(logs) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_a_workload_alone_has_students_interval():
    """Nobody lends it spread."""
    logs = [0.054303, 0.0482, 0.053268, 0.056257, 0.048758]
    found = intervals({"a": [Centre(log) for log in logs]})["a"]
    low, high = scipy.stats.t.interval(0.95, 4, np.mean(logs), scipy.stats.sem(logs))
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(logs), low, high))


def test_processes_that_agree_by_chance_are_not_believed():
    """Two equal logs beside workloads that spread: the interval is as wide as theirs suggest."""
    others = {name: [Centre(0.0), Centre(0.02)] for name in "bcd"}
    found = intervals({"a": [Centre(0.01), Centre(0.01)], **others})
    assert found["a"].high - found["a"].low > 0.02


def test_an_interval_is_never_narrower_than_the_rounds_allow():
    """Processes that agree to the last digit do not make noisy rounds precise."""
    rounds = np.log([1.0, 1.1, 1.2, 1.3, 1.4])
    found = intervals({"a": [centre(rounds)] * 3})["a"]
    assert found.high - found.value == pytest.approx(within([centre(rounds)] * 3))
    assert found.high - found.value > 0.02


def test_what_rounds_allow_shrinks_with_their_number():
    """Four times the rounds of the same spread: about half the width."""
    rng = np.random.default_rng(3)
    few, many = (within([centre(rng.normal(0, 0.1, n)) for _ in range(4)]) for n in (100, 400))
    assert few / many == pytest.approx(2, rel=0.2)


def test_rounds_bound_their_median_as_often_as_they_say():
    """Of 1000 sets of 3 processes of 5 normal rounds without luck, at least 94 % hold 0."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(1000):
        processes = [centre(rng.normal(0, 1, 5)) for _ in range(3)]
        value = math.fsum(one.log for one in processes) / 3
        held += abs(value) <= within(processes)
    assert held >= 940


def test_one_stalled_round_does_not_rule_the_width():
    """A forward of ten times the usual length widens by less than its square would."""
    calm = np.log(np.linspace(0.99, 1.01, 40))
    stalled = np.append(calm[:-1], math.log(10))
    assert within([centre(stalled)] * 3) < 20 * within([centre(calm)] * 3)


def test_one_process_alone_is_bounded_by_its_rounds():
    """There is an interval, of which only its number of processes says that it is no verdict."""
    rounds = np.log([1.0, 1.1, 1.2])
    found = intervals({"a": [centre(rounds)]})["a"]
    assert found.low < found.value < found.high
    assert math.isnan(intervals({"a": [Centre(0.0)]})["a"].low)


@pytest.mark.parametrize(("processes", "least"), [(2, 0.94), (3, 0.94), (5, 0.94)])
def test_intervals_hold_the_truth_as_often_as_they_say(processes, least):
    """Of 500 runs of five workloads, luck per process and noise per round: 94 % and more."""
    rng, held, workloads = np.random.default_rng(7), 0, range(5)
    for _ in range(500):
        luck = rng.normal(math.log(1.05), 0.006, (5, processes, 1))
        logs = luck + rng.normal(0, 0.01, (5, processes, 5))
        found = intervals({w: [centre(own) for own in logs[w]] for w in workloads})
        held += sum(one.low <= math.log(1.05) <= one.high for one in found.values())
    assert held / 2500 >= least
