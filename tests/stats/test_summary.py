import math

import numpy as np
import pytest
import scipy.stats
from fakes import BERT, case, pair, write_run

from bench.runner.stopping import precise_groups_of
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
