"""Every case of every suite under pytest-benchmark: `pytest suites`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_case(benchmark: Any, bench_case: Callable[[Any], None]) -> None:
    """A case runs to its end; with benchmarks enabled it is timed as well."""
    bench_case(benchmark)
