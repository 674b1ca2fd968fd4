"""Which seconds the paired gate judges: of the wall clock, or of CPU time."""

from __future__ import annotations

from enum import Enum


class JudgedClock(str, Enum):
    """Seconds of the wall clock, or of CPU time of all threads together.

    CPU time is steadier where other programs take the cores, and blind to waiting and to CUDA.
    """

    WALL = "wall"
    CPU = "cpu"

    @property
    def column(self) -> str:
        """The column of `turns.csv` that holds these seconds."""
        return f"{self.value}_s"

    @property
    def label(self) -> str:
        """What a sentence calls it."""
        return "CPU" if self is JudgedClock.CPU else "wall"

    @property
    def metric(self) -> str:
        """The metric of a finding by this clock."""
        return "cpu_time" if self is JudgedClock.CPU else "latency"

    @property
    def other(self) -> JudgedClock:
        """The clock that is not judged, and shown beside it."""
        return JudgedClock.WALL if self is JudgedClock.CPU else JudgedClock.CPU


def usual_clock(threads: int, device: str) -> JudgedClock:
    """CPU seconds on one CPU thread, where they hold all of the work; else wall seconds.

    Recorded wall seconds of one thread have tails that leave 6 % of gate runs without a verdict.
    """
    return JudgedClock.CPU if threads == 1 and device == "cpu" else JudgedClock.WALL
