"""Whether two sides computed the same."""

from __future__ import annotations

import numpy as np
import pytest

from bench.gate.outputs import Outputs, difference

ONES = np.ones(4, dtype=np.float32)


def of(*arrays, dtype="float32"):
    """Outputs of one forward."""
    return Outputs([np.asarray(a) for a in arrays], [dtype])


@pytest.mark.parametrize(
    ("candidate", "dtype", "different"),
    [
        (ONES * (1 + 1e-5), "float32", False),
        (ONES * 1.001, "float32", True),
        (ONES * 1.01, "float16", False),
        (ONES * 1.05, "float16", True),
        (ONES * 1.05, "bfloat16", False),
        (ONES * 1.2, "bfloat16", True),
    ],
)
def test_rounding_of_the_dtype_is_no_difference(candidate, dtype, different):
    """More than the coarsest type explains is one."""
    assert bool(difference(of(ONES, dtype=dtype), of(candidate, dtype=dtype))) is different


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        (of(ONES), of(ONES, ONES)),
        (of(ONES), of(ONES[:3])),
        (of(ONES), of(ONES * np.nan)),
        (of(ONES * 0), of(ONES)),
        (of([1, 2]), of([1, 3])),
        (of([True, False]), of([True, True])),
    ],
)
def test_other_outputs_are_different_and_said_how(baseline, candidate):
    """In number, shape, numbers that are none, or values that are counted."""
    assert difference(baseline, candidate)


@pytest.mark.parametrize("same", [ONES * 0, ONES * np.nan, [1, 2], ONES * 1j, []])
def test_equal_outputs_have_no_difference(same):
    """Nothing is divided by a size of 0, and what is no number on either side is the same."""
    assert difference(of(same), of(same)) == ""
