"""How far two results of one computation may differ by rounding."""

from __future__ import annotations

from bench.core.axes import Dtype

FLOAT_NOISE = 1e-9
"""Relative difference of two numbers that are the same but for the order of additions."""
TOLERANCE = {
    Dtype.FLOAT32: 1e-4,
    Dtype.FLOAT16: 2e-2,
    Dtype.BFLOAT16: 1e-1,
    Dtype.INT8: 5e-1,
}
"""Relative error (||a - b|| / ||b||) above which two outputs are of different functions.

Some ten times what full-size models show (5e-7, 1.5e-3, 1.2e-2, 4e-2): rounding stays below, a
wrong mask, layer or layout does not. Whether a quantised model is good enough is another question,
which its error in the results helps to ask.
"""
