"""Checks fail where numbers cannot be true, and only there."""

from __future__ import annotations

import pandas as pd
import pytest
from synthetic import write_run

from bench.core.metrics import metric
from bench.results import store as records
from bench.stats import ratios
from bench.stats import summary as stats
from bench.stats.sanity import SHOWN, failed_checks

CASE = "latency/a/cpu/float32/sdpa/t2/b1/s128"
NOTHING = pd.DataFrame(columns=list(records.RATIOS))


def summary(n=1000, **values):
    """A summary of one case with these metrics; a pair is a value and its bounds."""
    rows = []
    for key, value in values.items():
        name = key.replace("__", ".")
        estimate, low, high = value if isinstance(value, tuple) else (value, None, None)
        identity = dict.fromkeys(records.IDENTITY, "a") | {"threads": 2, "case": CASE}
        rows.append(
            {
                **identity,
                "metric": name,
                "unit": metric(name).unit.value,
                "value": estimate,
                "low": low,
                "high": high,
                "n": n,
            }
        )
    return pd.DataFrame(rows).astype({"low": float, "high": float, "value": float})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"latency_mean": 2.0, "latency_p99": 1.0}, "mean of 2 s is above the p99 of 1 s"),
        ({"latency_p90": 2.0, "latency_p95": 1.0}, "latency_p90 (2 s) is above latency_p95 (1 s)"),
        ({"latency": 1.0, "cpu_time": 2.5}, "more than 2 threads can use"),
        ({"flops": 100, "flops_counted": 90}, "90 FLOPs were counted where the formula gives 100"),
        (
            {"peak_activation_bytes": 102, "peak_activation_bytes_formula": 100},
            "102 bytes of activations were counted",
        ),
        ({"stored_parameters": 10, "stored_parameters__encoder": 9}, "add up to 9, not to 10"),
        (
            {"stored_parameters__encoder": 9, "applied_parameters__encoder": 8},
            "applies 8 parameters and stores 9",
        ),
        ({"peak_rss_bytes": 9, "weight_bytes": 10}, "below the 10 B of weights"),
        ({"latency": (1.0, 1.1, 1.2)}, "lies outside its interval"),
    ],
)
def test_each_impossible_number_fails(values, words):
    """A figure that cannot be true is named with its case, its value and a next step."""
    found = failed_checks(summary(**values), NOTHING)
    assert len(found) == 1
    assert words in found[0]
    assert CASE in found[0]


def test_a_percentile_on_too_few_samples_fails():
    """p99 needs 299 samples; with 298 it must not be believed."""
    assert "needs 299" in failed_checks(summary(n=298, latency_p99=1.0), NOTHING)[0]
    assert failed_checks(summary(n=299, latency_p99=1.0), NOTHING) == []


def test_possible_numbers_are_left_alone():
    """Equal bounds, rounding within tolerance and missing metrics fail no check."""
    fine = summary(latency=(1.0, 1.0, 1.0), cpu_time=2.1, latency_mean=1.0, flops=5)
    assert failed_checks(fine, NOTHING) == []
    assert failed_checks(fine.head(0), NOTHING) == []


def test_a_ratio_outside_its_interval_fails():
    """Ratios are held to the same rule as values."""
    row = dict.fromkeys(records.RATIOS, "a") | {"ratio": 2.0, "low": 1.0, "high": 1.5, "case": CASE}
    assert (
        "lies outside its interval" in failed_checks(summary(latency=1.0), pd.DataFrame([row]))[0]
    )


def test_many_cases_of_one_check_are_counted():
    """A check that fails for hundreds of cases names three and counts the rest."""
    one = summary(latency_mean=2.0, latency_p99=1.0)
    many = pd.concat([one.assign(case=f"case {i}") for i in range(10)])
    found = failed_checks(many, NOTHING)
    assert len(found) == SHOWN + 1
    assert "7 more cases" in found[-1]


def test_a_clean_run_fails_no_check(tmp_path):
    """What the statistics make of a plausible run passes every rule."""
    run = records.read_run(write_run(tmp_path / "run"))
    assert failed_checks(stats.summarise(run), ratios.ratios(run)) == []
