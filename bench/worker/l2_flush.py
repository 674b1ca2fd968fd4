"""Empties a CUDA device's L2 before a sample, for the cold mode: what was there is overwritten."""

from __future__ import annotations

from collections.abc import Callable

import torch

from bench.core.axes import Cache
from bench.core.case import Case

TIMES = 4
"""Of the L2: a hash spreads lines over its parts, so that writing its size once may leave some.
Triton's do_bench writes 256 MB, which is five times that of an H100."""


def flusher(case: Case) -> Callable[[], object] | None:
    """A call that fills the L2 with zeros on the current stream; None in the warm mode.

    The buffer is several times what the device reports for its L2, so that a read of anything that
    was there before goes to memory. It runs before the sample's first event and so is in no time.
    """
    if case.variant.cache is not Cache.COLD:
        return None
    size = torch.cuda.get_device_properties(case.device).L2_cache_size
    buffer = torch.empty(TIMES * size, dtype=torch.uint8, device=case.device)
    return buffer.zero_
