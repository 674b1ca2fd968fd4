"""What intervals allow to say, by relation and not by words."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from bench.stats.intervals import Interval
from bench.stats.relation import Evidence, Relation, corrected, judge, judge_row


def of(value, low, high, processes=5, evidence=Evidence.TIMED):
    """What is said of an interval."""
    return judge(Interval(value, low, high), processes, evidence)


@pytest.mark.parametrize(
    ("value", "low", "high", "relation"),
    [
        (1.03, 1.01, 1.05, Relation.MORE),
        (1.004, 1.0001, 1.008, Relation.MORE),
        (0.95, 0.9, 0.99, Relation.LESS),
        (1.0, 0.96, 1.04, Relation.WITHIN),
        (1.01, 0.99, 1.051, Relation.NOT_KNOWN),
        (0.99, 0.952, 1.01, Relation.NOT_KNOWN),
        (1.0, 1.0, 1.0, Relation.EQUAL),
        (1.2, math.nan, math.nan, Relation.NOT_KNOWN),
    ],
)
def test_a_verdict_needs_the_whole_interval(value, low, high, relation):
    """It leaves 1 out, or lies within 1/1.05 and 1.05, or nothing is known."""
    assert of(value, low, high).relation is relation


@pytest.mark.parametrize("processes", [1, 2])
def test_times_of_two_processes_give_no_verdict(processes):
    """However narrow their interval; with a third they do."""
    found = of(1.2, 1.19, 1.21, processes)
    assert found.relation is Relation.NOT_KNOWN
    assert found.lacks_processes
    assert found.processes_needed == max(3, processes + 1)
    assert of(1.2, 1.19, 1.21, 3).relation is Relation.MORE


def test_what_is_counted_or_read_needs_no_interval():
    """A count is equal to the last digit; a peak of memory of one process within a thousandth."""
    assert of(1.0001, 1.0001, 1.0001, 1, Evidence.COUNTED).relation is Relation.MORE
    assert of(1.0001, math.nan, math.nan, 1, Evidence.READ).relation is Relation.EQUAL
    assert of(0.17, math.nan, math.nan, 1, Evidence.READ).relation is Relation.LESS
    assert of(0.9, 0.8, 1.1, 2, Evidence.READ).relation is Relation.NOT_KNOWN
    assert of(0.17, math.nan, math.nan, 1, Evidence.READ).is_exact


@pytest.mark.parametrize(
    ("metric", "evidence"),
    [
        ("latency", Evidence.TIMED),
        ("stored_parameters.encoder", Evidence.COUNTED),
        ("peak_rss_bytes", Evidence.READ),
        ("largest_batch", Evidence.READ),
    ],
)
def test_a_row_says_what_it_rests_on(metric, evidence):
    """By its metric."""
    row = SimpleNamespace(metric=metric, ratio=2.0, low=1.9, high=2.1, processes=5)
    assert judge_row(row).evidence is evidence


def test_more_processes_are_estimated_from_the_half_width():
    """It falls as their root: the farther from a verdict an interval is, the more it takes."""
    near, far = of(1.02, 0.99, 1.06), of(1.02, 0.90, 1.16)
    assert 5 < near.processes_needed < far.processes_needed
    assert of(1.1, 1.05, 1.15).processes_needed == 0
    assert of(1.1, math.nan, math.nan, 1).processes_needed is None


def test_a_statement_of_several_is_corrected_for_their_number():
    """One of twenty that just leaves 1 out is chance; one far away stands."""
    just, far = of(1.03, 1.0005, 1.06), of(1.5, 1.45, 1.55)
    even = [of(1.0, 0.98, 1.02)] * 18
    found = corrected([just, far, *even])
    assert [one.relation for one in found[:2]] == [Relation.NOT_KNOWN, Relation.MORE]
    assert corrected([just])[0].relation is Relation.MORE


def test_a_narrow_interval_keeps_how_near_it_is_when_corrected():
    """A difference that is taken back is still within so much."""
    found = corrected([of(1.01, 1.0005, 1.02), *[of(1.0, 0.98, 1.02)] * 9])
    assert {one.relation for one in found} == {Relation.WITHIN}


def test_counts_are_never_corrected():
    """They are no estimates, and cost the others nothing."""
    counted = of(0.1, 0.1, 0.1, 1, Evidence.COUNTED)
    found = corrected([counted, of(1.03, 1.001, 1.06)])
    assert [one.relation for one in found] == [Relation.LESS, Relation.MORE]
