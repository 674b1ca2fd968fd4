"""Whether a variant computes the same as float32 step by step, before anything of it is timed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from bench.core.axes import Dtype
from bench.core.errors import BenchError
from bench.core.tolerance import TOLERANCE


def relative_error(got: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> float:
    """Largest ||got - expected|| / ||expected|| over the outputs; infinite where one is no number.

    Raises BenchError when the outputs are not of the same number and shapes.
    """
    shapes = [[tuple(one.shape) for one in outputs] for outputs in (got, expected)]
    if shapes[0] != shapes[1]:
        raise BenchError(f"its outputs have the shapes {shapes[0]}, not {shapes[1]}")
    errors = [float((a - b).norm() / b.norm()) for a, b in zip(got, expected, strict=True)]
    return max((e if math.isfinite(e) else math.inf for e in errors), default=math.inf)


def assert_close(
    got: Sequence[torch.Tensor], expected: Sequence[torch.Tensor], dtype: Dtype
) -> float:
    """The relative error; raises BenchError when it is above what the dtype explains."""
    error = relative_error(got, expected)
    if error > TOLERANCE[dtype]:
        raise BenchError(
            f"its output differs from float32 eager by {error:.2g} "
            f"(at most {TOLERANCE[dtype]:g} is rounding in {dtype})"
        )
    return error
