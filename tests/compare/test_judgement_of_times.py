"""Comparison of two stored runs: seconds, ratios between models, and shares of the GEMM's speed."""

from __future__ import annotations

import math

import pytest
from compare_fakes import STEADY, compared, counts, finished_run, static
from fakes import case, pair

from bench.compare.findings import Verdict
from bench.compare.judgement import ADVICE, compare, welch_interval
from bench.compare.stored_runs import Value, read
from bench.compare.thresholds import Thresholds
from bench.results import store as records
from bench.results.atomic import write_json


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.0, Verdict.WITHIN_NOISE), (1.2, Verdict.SLOWER), (0.8, Verdict.FASTER)],
)
def test_seconds_are_judged_by_their_whole_interval(tmp_path, factor, verdict):
    """A case is slower when even the lower bound lies beyond the threshold."""
    one = case()
    moved = [[s * factor for s in repeat] for repeat in STEADY]
    old, new = ([one], {"walls": {one.id: STEADY}}), ([one], {"walls": {one.id: moved}})
    found, _ = compared(tmp_path, old, new, threshold=0.10)
    finding = found[one.id, "latency"]
    assert finding.verdict is verdict
    assert finding.low < finding.ratio < finding.high
    assert finding.ratio == pytest.approx(factor)


def test_a_wide_interval_is_unknown(tmp_path):
    """Processes that disagree do not allow a verdict; between stored runs that does not fail."""
    one = case()
    wild = [[0.1] * 4, [0.2] * 4, [0.15] * 4]
    old, new = ([one], {"walls": {one.id: STEADY}}), ([one], {"walls": {one.id: wild}})
    found, comparison = compared(tmp_path, old, new)
    assert found[one.id, "latency"].verdict is Verdict.UNKNOWN
    assert comparison.exit_code() == 0


@pytest.mark.parametrize(
    ("fact", "verdict"),
    [
        ({"cpu": "another"}, Verdict.INCOMPARABLE),
        ({"gpus": ["another"]}, Verdict.INCOMPARABLE),
        ({"torch": "another"}, Verdict.SLOWER),
        ({}, Verdict.SLOWER),
    ],
)
def test_ratios_between_models_are_judged_on_one_processor_alone(tmp_path, fact, verdict):
    """Each processor has its own ratio; another torch or another load on the same one has not."""
    cases = pair()
    bert, albert = (c.id for c in cases)
    slow = [[s * 3 for s in repeat] for repeat in STEADY]
    slower = [[s * 1.3 for s in repeat] for repeat in slow]
    finished_run(tmp_path / "old", cases, {bert: STEADY, albert: STEADY})
    finished_run(tmp_path / "new", cases, {bert: slow, albert: slower})
    environment = records.read_environment(tmp_path / "new")
    environment["fingerprint"] = {"id": "1", **fact}
    write_json(tmp_path / "new" / records.ENVIRONMENT, environment)
    sides = [read(tmp_path / name) for name in ("old", "new")]
    comparison = compare(*sides, Thresholds(0.05))
    verdicts = {(f.case, f.metric): f.verdict for f in comparison.findings}
    assert verdicts[albert, "latency / bert"] is verdict
    assert (verdicts[bert, "latency"] is Verdict.INCOMPARABLE) is bool(fact)
    assert [name in note for name in fact for note in comparison.notes[:1]] == [True] * len(fact)


def test_seconds_of_different_times_are_advice(tmp_path):
    """They are judged, and fail nothing; exact figures beside them do."""
    one, two = case(), static()
    moved = [[s * 1.5 for s in repeat] for repeat in STEADY]
    old = ([one, two], {"walls": {one.id: STEADY}, "measured": {two.id: counts(1)}})
    new = ([one, two], {"walls": {one.id: moved}, "measured": {two.id: counts(1)}})
    found, comparison = compared(tmp_path / "a", old, new)
    assert (found[one.id, "latency"].verdict, found[one.id, "latency"].advice) == (
        Verdict.SLOWER,
        True,
    )
    assert (comparison.exit_code(), list(comparison.failing)) == (0, [])
    assert ADVICE in comparison.notes
    changed = ([one, two], {"walls": {one.id: moved}, "measured": {two.id: counts(2)}})
    _, comparison = compared(tmp_path / "b", old, changed)
    assert comparison.exit_code() == 1


def test_ratio_interval_is_welchs():
    """With equal spreads and sizes the bounds are those of the two-sample t interval."""
    from scipy.stats import t

    half = 0.02 * t.ppf(0.975, 4)
    side = Value("c", "s", 1.0, math.exp(-half), math.exp(half), 5)
    ratio, low, high = welch_interval(side, side)
    assert ratio == 1
    assert math.log(high) == pytest.approx(t.ppf(0.975, 8) * math.hypot(0.02, 0.02))
    assert low * high == pytest.approx(1)


def test_one_process_has_no_bounds():
    """A single process says nothing about how processes differ."""
    lone = Value("c", "s", 1.0, 0.9, 1.1, 1)
    assert math.isnan(welch_interval(lone, lone)[1])


def shares(tmp_path, old, new, **facts):
    """The verdict on a share of the reference GEMM's speed, given its values in each process."""
    one = case()
    for name, values in {"old": old, "new": new}.items():
        measured = {one.id: {"gemm_share": values}}
        finished_run(tmp_path / name, [one], {one.id: STEADY}, measured=measured)
    environment = records.read_environment(tmp_path / "new")
    environment["fingerprint"] |= facts
    write_json(tmp_path / "new" / records.ENVIRONMENT, environment)
    sides = [read(tmp_path / name) for name in ("old", "new")]
    found = compare(*sides, Thresholds(0.05)).findings
    return {f.metric: f.verdict for f in found}


def test_a_share_that_fell_is_slower_and_one_that_rose_is_faster(tmp_path):
    """Of a speed more is better, unlike of seconds."""
    high, low = [0.80, 0.81, 0.79], [0.60, 0.61, 0.59]
    assert shares(tmp_path / "a", high, low)["gemm_share"] is Verdict.SLOWER
    assert shares(tmp_path / "b", low, high)["gemm_share"] is Verdict.FASTER
    assert shares(tmp_path / "c", high, high)["gemm_share"] is Verdict.WITHIN_NOISE


@pytest.mark.parametrize(
    ("factor", "share", "verdict"),
    [
        (1.5, 0.80, Verdict.UNKNOWN),
        (1.5, 0.60, Verdict.SLOWER),
        (0.6, 0.80, Verdict.UNKNOWN),
        (0.6, 1.20, Verdict.FASTER),
    ],
)
def test_seconds_that_moved_with_the_product_are_the_machines(tmp_path, factor, share, verdict):
    """Load slows both, a change of the code only the forwards."""
    one = case()
    moved = [[s * factor for s in repeat] for repeat in STEADY]
    old = {"walls": {one.id: STEADY}, "measured": {one.id: {"gemm_share": [0.80, 0.801, 0.799]}}}
    new = {
        "walls": {one.id: moved},
        "measured": {one.id: {"gemm_share": [share, share + 0.001, share - 0.001]}},
    }
    found, _ = compared(tmp_path, ([one], old), ([one], new))
    assert found[one.id, "latency"].verdict is verdict
    # A lock or a sleep that the code gained looks the same, so the note does not rule it out.
    for words in ("the machine's load, or a wait", "bench check --against"):
        assert (words in found[one.id, "latency"].note) is (verdict is Verdict.UNKNOWN)


@pytest.mark.parametrize(
    ("fact", "verdict"),
    [("transformers", Verdict.SLOWER), ("torch", Verdict.INCOMPARABLE)],
)
def test_a_share_is_judged_where_the_product_is_the_same(tmp_path, fact, verdict):
    """Another torch or processor has another product; another transformers only other forwards."""
    found = shares(tmp_path, [0.80, 0.81, 0.79], [0.60, 0.61, 0.59], **{"id": "1", fact: "9"})
    assert found["latency"] is Verdict.INCOMPARABLE
    assert found["gemm_share"] is verdict
