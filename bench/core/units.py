"""Factors between units."""

from __future__ import annotations

NS = 1e-9


MS = 1e-3
"""Seconds in a nanosecond: clocks count whole nanoseconds, results are in seconds."""
