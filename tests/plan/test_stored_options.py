import json
from pathlib import Path

import pytest

from bench.core.allocator import Allocator
from bench.core.axes import Backend, Cache, Dtype
from bench.core.errors import UsageError
from bench.core.plain import to_plain
from bench.core.suite import Sampling
from bench.plan.options import Options
from bench.plan.stored_options import from_stored

STORED = Path(__file__).parent.parent / "data" / "a393199"
"""Runs of the version before options had `axes` and processes were called so."""


def stored(run="interrupted"):
    """The options in a run of that version."""
    return json.loads((STORED / run / "environment.json").read_text())["run"]["options"]


@pytest.mark.parametrize("run", ["complete", "interrupted"])
def test_options_of_an_earlier_version_are_read(run):
    """Repeats are processes, and axes that nobody named are left to the suites."""
    options = from_stored(stored(run))
    assert options.suites == tuple(stored(run)["suites"])
    assert options.sampling == Sampling(3, 3, budget_s=0.6, memory_processes=3)
    assert options.axes == {}
    assert options.allocator is Allocator.SYSTEM  # there was no choice


def test_axes_that_an_earlier_version_named_are_read():
    """Each had a key of its own, its name with an s."""
    former = {**stored(), "dtypes": ["int8"], "backends": ["openvino"], "caches": ["cold-l2"]}
    axes = {"dtype": (Dtype.INT8,), "backend": (Backend("openvino"),), "cache": (Cache.COLD,)}
    assert from_stored(former).axes == axes


def test_options_of_today_come_back_from_json():
    """As a run keeps them in `environment.json`."""
    options = Options(("latency",), axes={"dtype": (Dtype.INT8, Dtype.FLOAT16)}, seq_lens=(8,))
    assert from_stored(json.loads(json.dumps(to_plain(options)))) == options


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"dtypes": ["int4"]}, UsageError),
        ({"nonsense": 1}, TypeError),
        ({"threads": "two"}, TypeError),
        ({"weights": "none"}, ValueError),
    ],
)
def test_what_no_version_has_written_is_refused(change, error):
    """A value that is not known would be another plan."""
    with pytest.raises(error):
        from_stored({**stored(), **change})
