"""Whether both sides computed the same: a change that computes something else has no speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.core.tolerance import TOLERANCE


@dataclass(frozen=True)
class Outputs:
    """The tensors that one forward returned, in order, and the types it computed them in."""

    arrays: Sequence[npt.NDArray[np.generic]]
    dtypes: Sequence[str]


def difference(baseline: Outputs, candidate: Outputs) -> str:
    """How the candidate's outputs differ from the baseline's, in words; empty where they do not.

    Floating point may differ by what rounding explains in the coarsest type on either side (a
    relative error, ||a - b|| / ||b||); anything else not at all.
    """
    if len(baseline.arrays) != len(candidate.arrays):
        return f"{len(candidate.arrays)} output tensors, not {len(baseline.arrays)}"
    allowed = _tolerance([*baseline.dtypes, *candidate.dtypes])
    for number, (old, new) in enumerate(
        zip(baseline.arrays, candidate.arrays, strict=True), start=1
    ):
        which = f"output {number} of {len(baseline.arrays)}"
        if old.shape != new.shape:
            return f"{which} has shape {list(new.shape)}, not {list(old.shape)}"
        inexact = np.issubdtype(old.dtype, np.inexact) and np.issubdtype(new.dtype, np.inexact)
        if not inexact:
            unlike = int(np.count_nonzero(old != new))
            if unlike:
                return f"{which} differs in {unlike:,} of {old.size:,} values"
            continue
        error = _relative_error(old, new)
        if error > allowed:
            return f"{which} differs by {error:.2g} (relative; rounding explains {allowed:g})"
    return ""


def _tolerance(dtypes: Sequence[str]) -> float:
    """What rounding explains in the coarsest of these types; integers round nothing."""
    known = [allowed for dtype, allowed in TOLERANCE.items() if dtype.value in dtypes]
    return max(known, default=min(TOLERANCE.values()))


def _relative_error(old: npt.NDArray[np.generic], new: npt.NDArray[np.generic]) -> float:
    """||new - old|| / ||old||, where both are numbers; infinite where only one of them is."""
    finite = np.isfinite(old)
    if not np.array_equal(finite, np.isfinite(new)):
        return math.inf
    a, b = old[finite].astype(np.complex128), new[finite].astype(np.complex128)
    apart, size = float(np.linalg.norm(b - a)), float(np.linalg.norm(a))
    if not apart:
        return 0.0
    return apart / size if size else math.inf
