"""Lists and numbers as a sentence says them."""

from __future__ import annotations

from collections.abc import Iterable


def counted(n: int, noun: str, ending: str = "s") -> str:
    """`1 thread`, `2 threads`."""
    return f"{n} {noun}{ending * (n != 1)}"


def several(words: Iterable[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} {joint} {last}" if first else last
