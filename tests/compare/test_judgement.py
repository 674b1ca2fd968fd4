"""Comparison of two stored runs: exact figures, and what is there at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from compare_fakes import STEADY, compared, counts, static
from fakes import case

from bench.compare.findings import Comparison, Verdict
from bench.core.axes import AXES, Dtype
from bench.core.case import Compares


def test_one_parameter_more_is_a_change(tmp_path):
    """An exact figure has no tolerance for counts, and the finding names old and new value."""
    one = static()
    old = ([one], {"measured": {one.id: counts(1000)}})
    new = ([one], {"measured": {one.id: counts(1001)}})
    found, comparison = compared(tmp_path, old, new)
    finding = found[one.id, "stored_parameters"]
    assert finding.verdict is Verdict.CHANGED
    assert (finding.baseline, finding.candidate) == (1000, 1001)
    assert comparison.exit_code() == 1


@pytest.mark.parametrize(
    ("name", "device", "now", "verdict"),
    [
        ("cuda_peak_allocated_bytes", "cuda", 1009.0, Verdict.EQUAL),
        ("cuda_peak_allocated_bytes", "cuda", 1011.0, Verdict.CHANGED),
        ("peak_activation_bytes", "cuda:1", 1009.0, Verdict.EQUAL),
        ("peak_activation_bytes", "cpu", 1001.0, Verdict.CHANGED),
    ],
)
def test_the_allocators_rounding_is_tolerated(tmp_path, name, device, now, verdict):
    """A metric's stated tolerance on CUDA is respected, and no more than that; a CPU has none."""
    one = static(device=device)
    old = ([one], {"measured": {one.id: counts(1, **{name: 1000.0})}})
    new = ([one], {"measured": {one.id: counts(1, **{name: now})}})
    found, _ = compared(tmp_path, old, new)
    assert found[one.id, name].verdict is verdict


def test_a_vanished_case_and_a_vanished_metric_fail(tmp_path):
    """What the baseline has and the candidate has not is missing, and missing fails."""
    one, two = static(), static(seq_len=32)
    old = ([one, two], {"measured": {one.id: counts(1, operators=5), two.id: counts(1)}})
    new = ([one], {"measured": {one.id: counts(1)}})
    found, comparison = compared(tmp_path, old, new)
    assert found[two.id, ""].verdict is Verdict.MISSING
    assert found[one.id, "operators"].verdict is Verdict.MISSING
    assert comparison.exit_code() == 1


def test_a_new_case_is_told_and_passes(tmp_path):
    """A case that only the candidate has is new."""
    one, two = static(), static(seq_len=32)
    old = ([one], {"measured": {one.id: counts(1)}})
    new = ([one, two], {"measured": {one.id: counts(1), two.id: counts(1)}})
    found, comparison = compared(tmp_path, old, new)
    assert found[two.id, ""].verdict is Verdict.NEW
    assert comparison.exit_code() == 0


def test_a_failed_case_is_a_failure_to_measure(tmp_path):
    """A case that failed in the candidate gives exit code 3."""
    one, two = static(), static(seq_len=32)
    measured = {one.id: counts(1), two.id: counts(1)}
    old = ([one, two], {"measured": measured})
    new = ([one, two], {"measured": {one.id: counts(1)}, "failed": [two.id]})
    found, comparison = compared(tmp_path, old, new)
    assert found[two.id, ""].verdict is Verdict.FAILED
    assert comparison.exit_code() == 3


@pytest.mark.parametrize(
    ("before", "verdict", "code"),
    [(True, None, 0), (False, Verdict.MISSING, 1)],
)
def test_a_skipped_case_is_missed_only_where_it_was_there(tmp_path, before, verdict, code):
    """What neither machine can run is no finding; what only the baseline's could is lost."""
    one, two = static(), static(dtype=Dtype.FLOAT16)
    counted = {"measured": {one.id: counts(1)}}
    skipped = {**counted, "skipped": [two.id]}
    both = {"measured": {one.id: counts(1), two.id: counts(1)}}
    found, comparison = compared(
        tmp_path, ([one, two], skipped if before else both), ([one, two], skipped)
    )
    finding = found.get((two.id, ""))
    assert (finding.verdict if finding else None) is verdict
    assert comparison.exit_code() == code


def test_a_new_case_that_is_skipped_passes(tmp_path):
    """It was never there to be missed, and is reported."""
    one, two = static(), static(dtype=Dtype.FLOAT16)
    counted = {"measured": {one.id: counts(1)}}
    found, comparison = compared(
        tmp_path, ([one], counted), ([one, two], {**counted, "skipped": [two.id]})
    )
    assert found[two.id, ""].verdict is Verdict.NEW
    assert "skipped" in found[two.id, ""].note
    assert comparison.exit_code() == 0


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.name)
def test_each_variant_is_compared_with_itself(tmp_path, axis):
    """Two cases that differ in any axis are two, and one that vanished is missed."""
    one = case()
    two = replace(one, variant=replace(one.variant, **{axis.name: axis.choices[-1]}))
    fast = [[s / 2 for s in repeat] for repeat in STEADY]
    walls = {one.id: STEADY, two.id: fast}
    found, _ = compared(
        tmp_path / "a", ([one, two], {"walls": walls}), ([two, one], {"walls": walls})
    )
    ratios = {name: f.ratio for (name, metric), f in found.items() if metric == "latency"}
    assert ratios == {one.id: pytest.approx(1), two.id: pytest.approx(1)}
    found, _ = compared(
        tmp_path / "b", ([one, two], {"walls": walls}), ([one], {"walls": {one.id: STEADY}})
    )
    assert found[two.id, ""].verdict is Verdict.MISSING


def test_numbers_of_threads_that_are_compared_are_cases_of_their_own(tmp_path):
    """In the suite that scales, one thread is not two."""
    one, two = (
        replace(case(suite="scaling", threads=n), compares=Compares.THREADS) for n in (1, 2)
    )
    walls = {one.id: STEADY, two.id: [[s / 2 for s in repeat] for repeat in STEADY]}
    found, _ = compared(tmp_path, ([one, two], {"walls": walls}), ([two, one], {"walls": walls}))
    ratios = {name: f.ratio for (name, metric), f in found.items() if metric == "latency"}
    assert ratios == {one.id: pytest.approx(1), two.id: pytest.approx(1)}


def test_nothing_compared_is_no_pass(tmp_path):
    """Vanished cases fail, and a comparison of new cases alone gives exit code 3."""
    one, two = case(), case(seq_len=32)
    old, new = ([two], {"walls": {two.id: STEADY}}), ([one], {"walls": {one.id: STEADY}})
    found, comparison = compared(tmp_path, old, new)
    assert {f.verdict for f in found.values()} == {Verdict.NEW, Verdict.MISSING}
    only_new = Comparison("old", "new", [found[one.id, ""]], gate=False)
    assert (comparison.exit_code(), only_new.exit_code()) == (1, 3)


def test_threads_do_not_part_a_case_from_itself(tmp_path):
    """A machine with more cores measures the same cases."""
    one, more = static(threads=1), static(threads=8)
    old = ([one], {"measured": {one.id: counts(1)}})
    new = ([more], {"measured": {more.id: counts(1)}})
    found, comparison = compared(tmp_path, old, new)
    assert found[more.id, "stored_parameters"].verdict is Verdict.EQUAL
    assert comparison.exit_code() == 0
