"""The only clock: wall and CPU time of one call, ending when the device has finished it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

NS = 1e-9
"""Seconds in a nanosecond: clocks count whole nanoseconds, results are in seconds."""

STARTED = "BENCH_STARTED_NS"
"""The environment variable that tells a process when it was started."""


class Clock(Protocol):
    """The seam for time: tests put a clock here that they turn by hand."""

    def wall_ns(self) -> int:
        """Nanoseconds of a clock that never goes back."""

    def cpu_ns(self) -> int:
        """Nanoseconds of CPU time this process has used, all its threads together."""

    def synchronize(self) -> None:
        """Return when the device has done all it was given."""

    def shifts_ns(self) -> dict[str, int]:
        """How far other clocks stand from `wall_ns`, by what makes them move against it."""


@dataclass(frozen=True)
class SystemClock:
    """The operating system's clocks; `finish` waits for the device (nothing to wait for on CPU)."""

    finish: Callable[[], object] | None = None

    def wall_ns(self) -> int:
        """See Clock; not moved by clock adjustments."""
        return time.perf_counter_ns()

    def cpu_ns(self) -> int:
        """See Clock."""
        return time.process_time_ns()

    def synchronize(self) -> None:
        """See Clock."""
        if self.finish is not None:
            self.finish()

    def shifts_ns(self) -> dict[str, int]:
        """See Clock; the boot clock goes on while the machine sleeps, the time of day can be set.

        A sleep moves both, and is named first.
        """
        found = {}
        if hasattr(time, "CLOCK_BOOTTIME"):
            asleep = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.perf_counter_ns()
            found["suspended"] = asleep
        found["clock set"] = time.time_ns() - time.perf_counter_ns()
        return found


def start_stamp() -> dict[str, str]:
    """What a parent adds to the environment of a process it is about to start."""
    return {STARTED: str(time.monotonic_ns())}


def since_process_start_s() -> float:
    """Seconds since the parent took the stamp that this process was started with.

    The system's monotonic clock is the same for all processes of a machine.
    """
    return (time.monotonic_ns() - int(os.environ[STARTED])) * NS


def device_clock(device: str) -> SystemClock:
    """The clock for forwards on `device` ("cpu", "cuda", "cuda:1")."""
    if not device.startswith("cuda"):
        return SystemClock()
    import torch

    return SystemClock(lambda: torch.cuda.synchronize(device))
