import math
from statistics import NormalDist

import numpy as np
import pytest
import scipy.stats
from fakes import pair

from bench.stats.intervals import (
    mean_interval,
    percentile_interval,
    quantile_interval,
)

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
