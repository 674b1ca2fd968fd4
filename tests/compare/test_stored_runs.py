"""Comparison of stored runs: exact figures, seconds, ratios, and what is there at all."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from fakes import case, pair, write_run

from bench.compare import baselines as baseline
from bench.compare import stored_runs as stored
from bench.compare.findings import Comparison, Verdict
from bench.compare.stored_runs import Value, ratio_interval
from bench.compare.thresholds import Thresholds
from bench.core.case import Compares, Measure
from bench.core.errors import UsageError
from bench.results import store as records
from bench.stats.summary import summarise

STEADY = [[0.100] * 4, [0.101] * 4, [0.099] * 4]


def counts(value, **more):
    """Exact figures of one repeat."""
    return {"stored_parameters": [value], **{k: [v] for k, v in more.items()}}


def finished_run(directory, cases, walls=None, **facts):
    """A run whose cases say how many processes gave data."""
    run = write_run(directory, cases, walls, **facts)
    writer = records.open_run(directory, resume=True)
    processes = run.cases["case"].map({name: len(r) for name, r in (walls or {}).items()})
    writer.write_table("cases", run.cases.assign(processes=processes.fillna(1).astype(int)))
    writer.close()


def compared(tmp_path, old, new, threshold=0.05):
    """Findings of two runs, given as arguments of `write_run`, by case and metric."""
    for name, (cases, facts) in {"old": old, "new": new}.items():
        finished_run(tmp_path / name, cases, **facts)
    sides = [stored.read(tmp_path / name) for name in ("old", "new")]
    comparison = stored.compare(*sides, Thresholds(threshold))
    return {(f.case, f.metric): f for f in comparison.findings}, comparison


def static(model="bert", **facts):
    """A counted case."""
    return case(model, suite="parameters", measure=Measure.STATIC, **facts)


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
    one, two = static(), static(dtype="float16")
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
    """It was never there to be missed, and is told."""
    one, two = static(), static(dtype="float16")
    counted = {"measured": {one.id: counts(1)}}
    found, comparison = compared(
        tmp_path, ([one], counted), ([one, two], {**counted, "skipped": [two.id]})
    )
    assert found[two.id, ""].verdict is Verdict.NEW
    assert "skipped" in found[two.id, ""].note
    assert comparison.exit_code() == 0


@pytest.mark.parametrize(
    "facts",
    [
        {"backend": "onnxruntime"},
        {"compile": "default"},
        {"head": "masked-lm"},
        {"cache": "cold-l2"},
    ],
)
def test_each_variant_is_compared_with_itself(tmp_path, facts):
    """Two cases that differ in any axis of the grid are two, and one that vanished is missed."""
    one = case()
    two = replace(one, variant=replace(one.variant, **facts))
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


def test_other_machines_seconds_are_incomparable_and_ratios_are_not(tmp_path):
    """With different fingerprints only exact figures and ratios between models are judged."""
    cases = pair()
    bert, albert = (c.id for c in cases)
    slow = [[s * 3 for s in repeat] for repeat in STEADY]
    slower = [[s * 1.3 for s in repeat] for repeat in slow]
    finished_run(tmp_path / "old", cases, {bert: STEADY, albert: STEADY})
    finished_run(tmp_path / "new", cases, {bert: slow, albert: slower})
    environment = records.read_environment(tmp_path / "new")
    environment["fingerprint"] = {"id": "1", "cpu": "another"}
    records.write_json(tmp_path / "new" / records.ENVIRONMENT, environment)
    sides = [stored.read(tmp_path / name) for name in ("old", "new")]
    comparison = stored.compare(*sides, Thresholds(0.05))
    verdicts = {(f.case, f.metric): f.verdict for f in comparison.findings}
    assert verdicts[bert, "latency"] is Verdict.INCOMPARABLE
    assert verdicts[albert, "latency / bert"] is Verdict.SLOWER
    assert "different cpu" in comparison.notes[0]


def shares(tmp_path, old, new, **facts):
    """The verdict on a share of the matrix product's speed, given its values in each process."""
    one = case()
    for name, values in {"old": old, "new": new}.items():
        measured = {one.id: {"gemm_share": values}}
        finished_run(tmp_path / name, [one], {one.id: STEADY}, measured=measured)
    environment = records.read_environment(tmp_path / "new")
    environment["fingerprint"] |= facts
    records.write_json(tmp_path / "new" / records.ENVIRONMENT, environment)
    sides = [stored.read(tmp_path / name) for name in ("old", "new")]
    found = stored.compare(*sides, Thresholds(0.05)).findings
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


def test_threads_do_not_part_a_case_from_itself(tmp_path):
    """A machine with more cores measures the same cases."""
    one, more = static(threads=1), static(threads=8)
    old = ([one], {"measured": {one.id: counts(1)}})
    new = ([more], {"measured": {more.id: counts(1)}})
    found, comparison = compared(tmp_path, old, new)
    assert found[more.id, "stored_parameters"].verdict is Verdict.EQUAL
    assert comparison.exit_code() == 0


def test_ratio_interval_is_welchs():
    """With equal spreads and sizes the bounds are those of the two-sample t interval."""
    from scipy.stats import t

    half = 0.02 * t.ppf(0.975, 4)
    side = Value("c", "s", 1.0, math.exp(-half), math.exp(half), 5)
    ratio, low, high = ratio_interval(side, side)
    assert ratio == 1
    assert math.log(high) == pytest.approx(t.ppf(0.975, 8) * math.hypot(0.02, 0.02))
    assert low * high == pytest.approx(1)


def test_one_process_has_no_bounds():
    """A single process says nothing about how processes differ."""
    lone = Value("c", "s", 1.0, 0.9, 1.1, 1)
    assert math.isnan(ratio_interval(lone, lone)[1])


def test_a_baseline_keeps_the_small_files(tmp_path, monkeypatch):
    """Samples too large to commit stay behind; the comparison lives on what was kept."""
    one = case()
    run = write_run(tmp_path / "run", [one], {one.id: STEADY})
    from bench.runner.finalize import conclude

    writer = records.open_run(tmp_path / "run", resume=True)
    environment = {**run.environment, "run": {**run.environment["run"], "profile": "quick"}}
    conclude(writer, environment, "complete")
    writer.close()
    monkeypatch.setattr(baseline, "SAMPLES_LIMIT", 10)
    directory, left_out = baseline.keep(tmp_path / "run", "main", tmp_path / "baselines")
    assert left_out[0].startswith("samples.csv")
    assert not (directory / "samples.csv").exists()
    again = stored.read(baseline.find("main", tmp_path / "baselines"))
    assert repr(again) == repr(stored.read(tmp_path / "run"))


def test_an_unfinished_run_is_no_baseline(tmp_path):
    """Half a run would hide what it did not measure."""
    run = write_run(tmp_path / "run", [case()])
    run.environment["run"]["state"] = "interrupted"
    records.write_json(run.directory / records.ENVIRONMENT, run.environment)
    with pytest.raises(UsageError, match="interrupted"):
        baseline.keep(run.directory, "main", tmp_path)


@pytest.mark.parametrize("held", ["README.md", "rounds.csv", "inner"])
def test_what_is_no_baseline_is_not_replaced(tmp_path, held):
    """A study, a whole run, or a directory that holds the very run would be gone."""
    run, kept = tmp_path / "baselines" / "main" / "inner", tmp_path / "baselines"
    if held != run.name:
        run = tmp_path / "run"
        (kept / "main" / held).mkdir(parents=True)
    write_run(run, [case()])
    with pytest.raises(UsageError, match=f"holds {held}, so it is no baseline"):
        baseline.keep(run, "main", kept)
    assert (kept / "main" / held).exists()
    assert records.read_run(run)


def test_a_baseline_of_the_name_of_a_file_is_refused(tmp_path):
    """Nor is a link followed, whether it leads anywhere or not."""
    run = write_run(tmp_path / "run", [case()]).directory
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="no directory"):
            baseline.keep(run, name, tmp_path)


def test_a_baseline_is_replaced_as_a_whole(tmp_path):
    """Nothing of the former one stays, and nothing of a copy that failed."""
    one, two = case(), case(seq_len=32)
    run = write_run(tmp_path / "first", [one], {one.id: STEADY}).directory
    baseline.keep(run, "main", tmp_path / "baselines")
    run = write_run(tmp_path / "second", [two]).directory
    (run / "summary.csv").mkdir()
    with pytest.raises(OSError, match="summary"):
        baseline.keep(run, "main", tmp_path / "baselines")
    kept = tmp_path / "baselines" / "main"
    assert list(records.read_run(kept).cases["case"]) == [one.id]
    (run / "summary.csv").rmdir()
    baseline.keep(run, "main", tmp_path / "baselines")
    assert list(records.read_run(kept).cases["case"]) == [two.id]
    assert not (kept / "samples.csv").exists()
    assert [p.name for p in (tmp_path / "baselines").iterdir()] == ["main"]


def test_an_unknown_baseline_names_those_there_are(tmp_path):
    """The error lists what could have been meant."""
    (tmp_path / "release").mkdir()
    with pytest.raises(UsageError, match="release"):
        baseline.find("relaese", tmp_path)


def test_a_summary_from_before_an_unfinished_resume_is_not_believed(tmp_path):
    """The samples are newer than it is: what is compared is summed up from them."""
    one = case()
    finished_run(tmp_path / "run", [one], {one.id: STEADY})
    writer = records.open_run(tmp_path / "run", resume=True)
    run = records.read_run(tmp_path / "run")
    summary = summarise(run)
    writer.write_table("summary", summary.assign(value=99.0))
    for state, wanted in (("complete", 99.0), ("running", 0.1), ("interrupted", 0.1)):
        writer.write_environment(
            {**run.environment, "run": {**run.environment["run"], "state": state}}
        )
        (found,) = stored.read(tmp_path / "run").figures.values()
        assert found["latency"].value == pytest.approx(wanted, rel=1e-3)
    writer.close()
