import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from fakes import case, pair, write_run

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
