"""Lists as a sentence says them."""

from __future__ import annotations

from collections.abc import Iterable


def several(words: Iterable[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} {joint} {last}" if first else last
