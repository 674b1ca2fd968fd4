"""Which seconds are judged where nobody says."""

from __future__ import annotations

import pytest

from bench.core.errors import UsageError
from bench.gate.against import PairedOptions, clock_note
from bench.gate.cases import Asked
from bench.gate.clocks import JudgedClock, usual_clock


@pytest.mark.parametrize(
    ("threads", "device", "clock"),
    [
        (1, "cpu", JudgedClock.CPU),
        (2, "cpu", JudgedClock.WALL),
        (1, "cuda", JudgedClock.WALL),
    ],
)
def test_cpu_seconds_are_judged_on_one_cpu_thread(threads, device, clock):
    """There they hold all of the work, and wait for nobody."""
    assert usual_clock(threads, device) is clock


def options(clock, device="cpu"):
    """One thread, judged by this clock."""
    return PairedOptions("main", Asked(device=device, threads=1), clock, 900.0, 300.0, 0)


def test_the_judged_clock_is_stated_and_can_be_chosen():
    """A reader of the verdict learns which seconds it rests on, and how to have the others."""
    assert "--clock wall" in clock_note(options(None))
    assert "CPU" in clock_note(options(JudgedClock.CPU))
    assert clock_note(options(JudgedClock.WALL)).startswith("wall")


def test_cpu_seconds_of_a_gpu_are_refused():
    """They say nothing of it."""
    with pytest.raises(UsageError, match="--clock is cpu"):
        options(JudgedClock.CPU, "cuda")
