import math
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from fakes import BERT, case, pair, write_run

from bench.runner.stopping import precise_groups_of
from bench.stats.intervals import (
    mean_interval,
    percentile_interval,
    quantile_interval,
)
from bench.stats.ratios import ratios
from bench.stats.summary import summarise

ONE, OTHER = (c.id for c in pair())


def of(table, metric, model=None):
    """The only row of a metric (of a model)."""
    rows = table[
        (table["metric"] == metric) & (table["model"] == (model or table["model"].iloc[0]))
    ]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.parametrize("n", [2, 5, 30])
def test_the_interval_of_a_mean_is_students(n):
    """Bounds equal scipy's own t interval."""
    values = np.random.default_rng(n).normal(3, 2, n).tolist()
    found = mean_interval(values)
    low, high = scipy.stats.t.interval(0.95, n - 1, np.mean(values), scipy.stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(values), low, high))


def test_one_value_has_no_bounds():
    """Nothing can be said of the spread of a single process."""
    found = mean_interval([3.0])
    assert found.value == 3.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize(("n", "quantile"), [(30, 0.5), (100, 0.9), (500, 0.99)])
def test_the_interval_of_a_quantile_is_of_order_statistics(n, quantile):
    """Bounds are those of scipy's test of a quantile, which inverts the same binomial."""
    values = np.random.default_rng(n).normal(size=n)
    expected = scipy.stats.quantile_test(values, p=quantile).confidence_interval(0.95)
    found = quantile_interval(values, quantile)
    assert found.value == pytest.approx(np.quantile(values, quantile))
    for ours, theirs in ((found.low, expected.low), (found.high, expected.high)):
        assert ours == theirs or (math.isnan(ours) and math.isnan(theirs))


def test_a_bound_beyond_the_samples_is_unknown():
    """Of three values nothing bounds the median with 95 % confidence."""
    found = quantile_interval(np.array([1.0, 2.0, 3.0]), 0.5)
    assert (math.isnan(found.low), found.value, math.isnan(found.high)) == (True, 2.0, True)


@pytest.mark.parametrize(("between", "within"), [(0.0, 0.02), (0.02, 0.02), (0.03, 0.01)])
@pytest.mark.parametrize("quantile", [0.9, 0.95])
def test_the_interval_of_a_percentile_covers_what_processes_differ_by(quantile, between, within):
    """The truth of normal processes lies within it in at least 86 % of 400 runs of five."""
    rng, held = np.random.default_rng(7), 0
    truth = math.exp(NormalDist().inv_cdf(quantile) * math.hypot(between, within))
    for _ in range(400):
        luck = rng.normal(0, between, (5, 1))
        processes = np.exp(luck + rng.normal(0, within, (5, 60)))
        found = percentile_interval(processes.ravel(), list(processes), quantile)
        assert found.low <= found.value <= found.high
        held += found.low <= truth <= found.high
    assert held >= 0.86 * 400


def test_the_interval_of_a_percentile_beyond_the_samples_stays_unknown():
    """Thirty samples do not bound the 99th percentile from above, whatever processes say."""
    processes = [np.linspace(1.0, 2.0, 15), np.linspace(1.1, 2.1, 15)]
    found = percentile_interval(np.concatenate(processes), processes, 0.99)
    assert math.isnan(found.high)
    assert found.low < found.value


@pytest.mark.parametrize(
    ("metric", "needed"), [("latency_p90", 29), ("latency_p95", 59), ("latency_p99", 299)]
)
@pytest.mark.parametrize("spare", [-1, 0])
def test_a_percentile_needs_its_samples(tmp_path, metric, needed, spare):
    """p90, p95 and p99 are given from 29, 59 and 299 samples on, and not one before."""
    walls = [0.001 * i for i in range(1, needed + spare + 1)]
    table = summarise(write_run(tmp_path / "run", [case()], {ONE: [walls]}))
    assert (metric in set(table["metric"])) == (spare == 0)


def test_a_summary_by_hand(tmp_path):
    """Medians, means, minima and rates of two repeats of three samples; warm-up counts nowhere."""
    cases = [case(batch_size=4, seq_len=8)]
    table = summarise(
        write_run(tmp_path / "run", cases, {cases[0].id: [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]})
    )
    latency = of(table, "latency")
    # Logs of the processes' medians 2 and 4 differ by log 2: t(0.975, 1) * log(2) / 2 each way.
    reach = math.exp(12.706204736 * math.log(2) / 2)
    middle = math.sqrt(2 * 4)
    assert latency["value"] == pytest.approx(middle)
    assert (latency["low"], latency["high"]) == pytest.approx((middle / reach, middle * reach))
    assert (latency["n"], latency["processes"], latency["unit"]) == (6, 2, "s")
    assert of(table, "latency_mean")["value"] == pytest.approx(3.0)
    assert of(table, "latency_min")["value"] == 1.0
    assert of(table, "cpu_time")["value"] == pytest.approx(2 * middle)
    rate = of(table, "throughput_tokens")
    assert rate["value"] == pytest.approx(32 / middle)
    assert (rate["low"], rate["high"]) == pytest.approx((32 / middle / reach, 32 / middle * reach))
    assert of(table, "throughput_sequences")["value"] == pytest.approx(4 / middle)


def test_a_ratio_by_hand(tmp_path):
    """Median of log-ratios within a process, mean over processes, Student's interval."""
    run = write_run(
        tmp_path / "run",
        pair(),
        {
            ONE: [[1.0, 1.0, 2.0], [1.0, 1.0, 1.0]],
            OTHER: [[1.1, 1.2, 2.6], [1.4, 1.2, 1.3]],  # ratios 1.1 1.2 1.3 and 1.4 1.2 1.3
        },
    )
    found = of(ratios(run), "latency")
    logs = [math.log(1.2), math.log(1.3)]
    low, high = scipy.stats.t.interval(0.95, 1, np.mean(logs), scipy.stats.sem(logs))
    assert found["ratio"] == pytest.approx(math.sqrt(1.2 * 1.3))
    assert (found["low"], found["high"]) == pytest.approx((math.exp(low), math.exp(high)))
    assert (found["rounds"], found["processes"]) == (6, 2)
    assert (found["model"], found["reference"]) == ("albert", "bert")


def test_a_ratio_takes_the_median_of_each_block(tmp_path):
    """Of several samples in a round neither the fastest nor the slowest decides."""
    run = write_run(tmp_path / "run", pair(), {ONE: [[1.0]], OTHER: [[1.5]]})
    kept = run.samples[run.samples["phase"] == "sample"]
    others = [kept.assign(wall_s=factor * kept["wall_s"]) for factor in (0.1, 9.0)]
    run = type(run)(**{**vars(run), "samples": pd.concat([run.samples, *others])})
    assert of(ratios(run), "latency")["ratio"] == pytest.approx(1.5)


def test_workloads_of_a_run_lend_each_other_spread(tmp_path):
    """Two processes that agree by chance are as uncertain as their neighbours suggest."""
    walls = {}
    for length, spread in ((16, 0.0), (32, 0.01), (64, 0.01)):
        one, other = pair(seq_len=length)
        walls |= {one.id: [[1.0], [1.0]], other.id: [[1.1], [1.1 * (1 + spread)]]}
    cases = [c for length in (16, 32, 64) for c in pair(seq_len=length)]
    table = ratios(write_run(tmp_path / "run", cases, walls))
    found = table[(table["metric"] == "latency") & (table["seq_len"] == 16)].iloc[0]
    assert found["low"] < 1.1 / 1.005
    assert found["high"] > 1.1 * 1.005


def test_a_gpu_borrows_no_spread_from_the_cpu_beside_it(tmp_path):
    """Spread is lent within a device."""
    walls, cases = {}, []
    for device, spread in (("cpu", 0.02), ("cuda:0", 0.0)):
        for length in (16, 32):
            one, other = pair(seq_len=length, device=device)
            cases += [one, other]
            walls |= {one.id: [[1.0], [1.0]], other.id: [[1.1], [1.1 * (1 + spread)]]}
    table = ratios(write_run(tmp_path / "run", cases, walls))
    found = table[(table["metric"] == "latency") & (table["device"] == "cuda:0")]
    assert (found["high"] / found["low"]).max() < 1.001


def test_throughput_is_the_inverse_of_latency(tmp_path):
    """More per second is the same finding, turned over with its bounds."""
    walls = {ONE: [[1.0], [1.0], [1.0]], OTHER: [[1.5], [1.6], [1.4]]}
    table = ratios(write_run(tmp_path / "run", pair(), walls))
    latency, rate = of(table, "latency"), of(table, "throughput_sequences")
    assert rate["ratio"] == pytest.approx(1 / latency["ratio"])
    assert rate["low"] == pytest.approx(1 / latency["high"])


def test_a_single_process_has_an_interval_of_its_rounds(tmp_path):
    """Ten rounds in one process bound their own median; the row says that it is one process."""
    made = [1.0 + i / 100 for i in range(1, 11)]
    run = write_run(tmp_path / "run", pair(), {ONE: [[1.0] * 10], OTHER: [made]})
    found = of(ratios(run), "latency")
    assert 1.02 < found["low"] < 1.055 < found["high"] < 1.09
    assert found["processes"] == 1


def test_a_single_model_has_no_ratio(tmp_path):
    """Alone, a model is summed up and compared with nothing."""
    run = write_run(tmp_path / "run", [case()], {ONE: [[1.0], [1.1]]}, {ONE: {"operators": [5]}})
    assert ratios(run).empty
    assert of(summarise(run), "latency")["value"] == pytest.approx(math.sqrt(1.1))


def test_three_models_are_compared_with_the_first(tmp_path):
    """Every ratio is against the model named first."""
    cases = [case(m) for m in ("bert", "albert", "other")]
    walls = {c.id: [[s], [s]] for c, s in zip(cases, (1.0, 2.0, 3.0), strict=True)}
    table = ratios(write_run(tmp_path / "run", cases, walls))
    found = table[table["metric"] == "latency"].set_index("model")["ratio"].to_dict()
    assert found == pytest.approx({"albert": 2.0, "other": 3.0})
    assert set(table["reference"]) == {"bert"}


@pytest.mark.parametrize("failed", [ONE, OTHER])
def test_a_failed_case_is_in_no_statistic(tmp_path, failed):
    """Half of a case's repeats prove nothing: it is left out, and so is its ratio."""
    run = write_run(
        tmp_path / "run", pair(), {ONE: [[1.0], [1.0]], OTHER: [[2.0], [2.0]]}, failed=[failed]
    )
    assert set(summarise(run)["case"]) == {ONE, OTHER} - {failed}
    assert ratios(run).empty
    assert precise_groups_of(run, 0.02) == {case().group}


def test_a_run_interrupted_at_once_has_empty_tables(tmp_path):
    """With nothing measured there is nothing to say, and nothing breaks."""
    run = write_run(tmp_path / "run", [])
    run.environment["run"] |= {"models": [BERT.name], "plan": []}
    assert summarise(run).empty
    assert ratios(run).empty
    assert precise_groups_of(run, 0.02) == set()


def test_a_planned_case_counts_before_it_has_ended(tmp_path):
    """An interrupted run shows what it has, for cases that have no row yet too."""
    run = write_run(tmp_path / "run", pair(), {ONE: [[1.0]], OTHER: [[2.0]]})
    run = type(run)(**{**vars(run), "cases": run.cases.iloc[:0]})
    assert of(ratios(run), "latency")["ratio"] == pytest.approx(2.0)


def test_rounds_of_one_model_alone_are_not_paired(tmp_path):
    """A repeat that only one model delivered does not enter the ratio."""
    run = write_run(tmp_path / "run", pair(), {ONE: [[1.0], [1.0], [7.0]], OTHER: [[2.0], [2.0]]})
    found = of(ratios(run), "latency")
    assert (found["ratio"], found["processes"]) == (pytest.approx(2.0), 2)


def test_exact_metrics_have_exact_ratios(tmp_path):
    """A counted value has no spread: both bounds are the ratio; a disturbance has none."""
    measured = {
        ONE: {"stored_parameters": [100], "load_average": [1], "stored_parameters.pooler": [10]},
        OTHER: {"stored_parameters": [25], "load_average": [2], "stored_parameters.pooler": [10]},
    }
    run = write_run(tmp_path / "run", pair(), measured=measured)
    table = ratios(run)
    assert set(table["metric"]) == {"stored_parameters", "stored_parameters.pooler"}
    found = of(table, "stored_parameters")
    assert (found["ratio"], found["low"], found["high"]) == pytest.approx((0.25, 0.25, 0.25))
    assert math.isnan(of(summarise(run), "stored_parameters", "bert")["low"])


def test_counted_values_that_differ_are_shown_as_a_range(tmp_path):
    """An exact metric that is not the same in every process does not pretend to be."""
    run = write_run(tmp_path / "run", [case()], measured={ONE: {"operators": [5, 7, 6]}})
    found = of(summarise(run), "operators")
    assert (found["value"], found["low"], found["high"]) == (6, 5, 7)


def test_read_values_have_an_interval(tmp_path):
    """Memory read in three processes comes with Student's interval of the mean log."""
    values = [100.0, 110.0, 120.0]
    run = write_run(tmp_path / "run", [case()], measured={ONE: {"peak_rss_bytes": values}})
    found = of(summarise(run), "peak_rss_bytes")
    logs = np.log(values)
    low, high = scipy.stats.t.interval(0.95, 2, logs.mean(), scipy.stats.sem(logs))
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        tuple(np.exp((logs.mean(), low, high)))
    )


@pytest.mark.parametrize(("spread", "ready"), [(0.002, True), (0.05, False)])
def test_a_group_is_precise_when_its_ratio_is(tmp_path, spread, ready):
    """Latency may wander as it likes, as long as both models do it together."""
    drift = [1.0, 1.5, 0.7, 1.2]
    walls = {
        ONE: [[s] for s in drift],
        OTHER: [[s * (1 + e)] for s, e in zip(drift, (0, spread, -spread, 0), strict=True)],
    }
    run = write_run(tmp_path / "run", pair(), walls)
    assert precise_groups_of(run, 0.02) == ({case().group} if ready else set())


@pytest.mark.parametrize(("spread", "ready"), [(0.002, True), (0.05, False)])
def test_a_lone_model_is_precise_when_its_latency_is(tmp_path, spread, ready):
    """Without a partner, the latency itself has to be known."""
    run = write_run(tmp_path / "run", [case()], {ONE: [[1.0], [1 + spread], [1 - spread]]})
    assert precise_groups_of(run, 0.02) == ({case().group} if ready else set())


def test_one_process_is_never_precise(tmp_path):
    """However steady its rounds, one process has its own luck."""
    run = write_run(tmp_path / "run", pair(), {ONE: [[1.0] * 20], OTHER: [[2.0] * 20]})
    assert precise_groups_of(run, 0.02) == set()


def test_one_imprecise_ratio_keeps_its_group_open(tmp_path):
    """With three models the widest ratio decides."""
    cases = [case(m) for m in ("bert", "albert", "other")]
    walls = {c.id: [[1.0], [1.0], [1.0]] for c in cases}
    walls[cases[2].id] = [[1.0], [1.5], [0.7]]
    assert precise_groups_of(write_run(tmp_path / "run", cases, walls), 0.02) == set()
