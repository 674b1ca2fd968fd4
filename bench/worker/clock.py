"""The only clock: wall and CPU time of one call, ending when the device has finished it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from bench.core.units import MS, NS
from bench.plan.jobs import STARTED


class Mark(NamedTuple):
    """A moment on the host's clocks and, where the device has its own, an event in its queue."""

    wall_ns: int
    cpu_ns: int
    event: Any = None


class Clock(Protocol):
    """The seam for time: tests put a clock here that they advance manually."""

    def start(self) -> Mark:
        """The moment before a forward is begun."""

    def stop(self) -> Mark:
        """The moment after it was begun; a device may still be at it."""

    def seconds(self, start: Mark, stop: Mark) -> float:
        """How long the device took between two moments; known once it is synchronised."""

    @property
    def has_device(self) -> bool:
        """Whether the device has a time of its own, besides the host's."""

    def wall_ns(self) -> int:
        """Nanoseconds of a clock that never goes back."""

    def cpu_ns(self) -> int:
        """Nanoseconds of CPU time this process has used, all its threads together."""

    def synchronize(self) -> None:
        """Return when the device has done all it was given."""

    def shifts_ns(self) -> dict[str, int]:
        """How far other clocks stand from `wall_ns`, by what makes them move against it."""


class HostMarks:
    """Marks of the host alone, for clocks whose device computes while it is called."""

    wall_ns: Callable[[], int]
    cpu_ns: Callable[[], int]
    has_device: ClassVar[bool] = False

    def start(self) -> Mark:
        cpu = self.cpu_ns()
        return Mark(self.wall_ns(), cpu)

    def stop(self) -> Mark:
        return Mark(self.wall_ns(), self.cpu_ns())

    def seconds(self, start: Mark, stop: Mark) -> float:
        return (stop.wall_ns - start.wall_ns) * NS


class SystemClock(HostMarks):
    """The operating system's clocks; on the CPU there is no device to wait for."""

    def wall_ns(self) -> int:
        """Not moved by clock adjustments."""
        return time.perf_counter_ns()

    def cpu_ns(self) -> int:
        return time.process_time_ns()

    def synchronize(self) -> None:
        """Nothing is left to wait for."""

    def shifts_ns(self) -> dict[str, int]:
        """The boot clock goes on while the machine sleeps, the time of day can be set.

        A sleep moves both, and is named first.
        """
        found = {}
        if hasattr(time, "CLOCK_BOOTTIME"):
            asleep = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.perf_counter_ns()
            found["suspended"] = asleep
        found["clock set"] = time.time_ns() - time.perf_counter_ns()
        return found


@dataclass
class CudaClock(SystemClock):
    """A pair of events around each forward, on the current stream; `cuda` is `torch.cuda`.

    Recording an event does not wait for anything. Their distance is read after one synchronise,
    and covers what the device did for the forward and where it waited for the host.
    """

    cuda: Any
    device: str
    has_device: ClassVar[bool] = True

    def synchronize(self) -> None:
        self.cuda.synchronize(self.device)

    def start(self) -> Mark:
        mark = super().start()
        return mark._replace(event=self._event())

    def stop(self) -> Mark:
        event = self._event()
        return super().stop()._replace(event=event)

    def seconds(self, start: Mark, stop: Mark) -> float:
        """CUDA counts milliseconds, to about half a microsecond."""
        return float(start.event.elapsed_time(stop.event)) * MS

    def _event(self) -> Any:
        event = self.cuda.Event(enable_timing=True)
        event.record(self.cuda.current_stream(self.device))
        return event


def since_process_start_s() -> float:
    """Seconds since the parent took the stamp that this process was started with.

    The system's monotonic clock is the same for all processes of a machine.
    """
    return (time.monotonic_ns() - int(os.environ[STARTED])) * NS
