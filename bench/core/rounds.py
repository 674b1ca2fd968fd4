"""How rounds are made: their order, and how many forwards a block has."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

WARMUP_S = 0.5
"""Warm up for at least this long, so that frequency, caches and allocator have settled ..."""


WARMUP_FORWARDS = 2
"""... and at least this often: the first forward of a process also sets libraries up."""


BLOCK_S = 0.15
"""A model's block of forwards lasts about this long: short enough that all see the same load."""


MAX_BLOCK = 5
"""More forwards in a block find no faster minimum worth their time."""


def balanced_orders(names: list[T], rng: random.Random) -> Iterator[list[T]]:
    """Endless orders in sets in which each model stands at each place equally often."""
    while True:
        base = rng.sample(names, len(names))
        yield from (base[i:] + base[:i] for i in range(len(base)))


def block_size(forward_s: float) -> int:
    """Forwards in a block where a warm forward takes `forward_s` seconds."""
    return max(1, min(MAX_BLOCK, round(BLOCK_S / max(forward_s, 1e-9))))
