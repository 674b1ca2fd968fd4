"""The table of variants and threads."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from bench.core.case import Workload
from bench.stats.speedups import SpeedUp
from bench.terminal.speedups import show_speedups

COMPILED = SpeedUp(
    case="",
    suite="variants",
    model="bert-base-uncased",
    device="cpu",
    workload=Workload(1, 128),
    label="float32 sdpa compile-max-autotune",
    reference="float32 eager",
    setting="",
    threads=2,
    speed=1.234,
    low=1.2,
    high=1.3,
    processes=5,
    latency_s=0.1,
    error=1e-7,
    compile_s=12.0,
    artifact=438e6,
)
THREADS = replace(
    COMPILED, label="2 threads", reference="1 thread", compile_s=None, artifact=None, error=None
)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_variant_is_named_on_one_line(width):
    """With its time, its speed-up with the interval, and its verdict."""
    out = Console(file=StringIO(), width=width)
    show_speedups(out, [COMPILED, THREADS])
    lines = out.file.getvalue().splitlines()
    (row,) = [line for line in lines if "float32 sdpa compile-max-autotune" in line]
    assert all(part in row for part in ("100 ms", "1.23x [1.20, 1.30]", "faster"))
    assert max(map(len, lines)) <= width
    if width >= 120:
        assert all(part in row for part in ("12.0 s", "438 MB", "1e-07"))


def test_a_reference_has_a_table_and_a_workload_a_heading():
    """Threads are compared with one thread, variants with float32 eager."""
    out = Console(file=StringIO(), width=80)
    show_speedups(out, [COMPILED, THREADS])
    text = out.file.getvalue()
    assert text.index("times that of float32 eager") < text.index("times that of 1 thread")
    assert text.count("BERT, batch 1, 128 tokens") == 2
    assert "2 threads  100 ms  1.23x [1.20, 1.30]  faster" in text
