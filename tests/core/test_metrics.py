import pytest

from bench.core.metrics import METRICS, metric


def test_a_part_is_measured_like_its_whole():
    """`stored_parameters.encoder` has the unit of `stored_parameters`."""
    assert metric("stored_parameters.encoder") is METRICS["stored_parameters"]


def test_an_unknown_metric_is_an_error():
    """A typo in a metric's name is found at once, not written to a file."""
    with pytest.raises(KeyError):
        metric("latencies")


def test_times_are_never_exact():
    """Seconds and rates have spread, and are never gated as counts are."""
    assert not [m.name for m in METRICS.values() if m.exact and m.unit.value in ("s", "1/s")]
