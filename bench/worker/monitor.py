"""What disturbs a measurement: read between rounds, never inside; suspended rounds are reported.

A reading takes the kernel's counters of this machine and process. It costs some 0.1 ms, once a
round, outside every timed forward; `bench selftest` measures it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.core.units import NS
from bench.machine.gpu import NO_READING, Gpu
from bench.machine.kernel import Kernel
from bench.worker.clock import Clock

SHIFT_S = 0.1
"""Clocks that part by more than this were set or stood still: reading them takes far less."""
Value = float | None


@dataclass(frozen=True)
class Reading:
    """Counters as they stand; steal and throttling are the machine's, the rest this process'."""

    steal_s: Value
    involuntary_switches: Value
    minor_faults: Value
    major_faults: Value
    cpu_hz: Value
    throttled: Value
    load_average: Value

    @classmethod
    def now(cls, kernel: Kernel | None = None) -> Reading:
        """Read the counters; None stands for what this system does not report."""
        kernel = kernel or Kernel()
        usage = _usage()
        return cls(
            steal_s=kernel.steal_s(),
            involuntary_switches=usage.get("ru_nivcsw"),
            minor_faults=usage.get("ru_minflt"),
            major_faults=usage.get("ru_majflt"),
            cpu_hz=kernel.cpu_hz(),
            throttled=_total(kernel.throttled(), kernel.quota_stops()),
            load_average=kernel.load_average(),
        )

    def since(self, earlier: Reading) -> dict[str, Value]:
        """What happened since `earlier`; frequency and load as they are now."""
        then = asdict(earlier)
        states = ("cpu_hz", "load_average")
        return {
            name: now if name in states else _difference(now, then[name])
            for name, now in asdict(self).items()
        }

    def metrics(self, earlier: Reading) -> dict[str, float]:
        """The same under the names of metrics, without what is not known."""
        found = self.since(earlier)
        named = {name: found[column] for name, column in METRICS.items()}
        return {name: value for name, value in named.items() if value is not None}


METRICS = {
    "steal_time": "steal_s",
    "involuntary_switches": "involuntary_switches",
    "major_page_faults": "major_faults",
    "load_average": "load_average",
}
"""Metrics of a whole process, and the readings they are made of."""


def _difference(now: Value, then: Value) -> Value:
    return None if now is None or then is None else now - then


def _total(*values: Value) -> Value:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _usage() -> Mapping[str, float]:
    """This process' counters of what the scheduler and the memory did to it, all threads."""
    if os.name != "posix":
        return {}
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {name: float(getattr(usage, name)) for name in ("ru_nivcsw", "ru_minflt", "ru_majflt")}


@dataclass
class RoundWatch:
    """Reads the counters at the end of each round; `rows` has one per round (tables.ROUNDS)."""

    clock: Clock
    kernel: Kernel = field(default_factory=Kernel)
    gpu: Gpu | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    _wall: int = field(default=0, init=False)
    _shift: Mapping[str, int] = field(default_factory=dict, init=False)
    _last: Reading | None = field(default=None, init=False)

    def begin(self) -> None:
        """A round begins now."""
        if self._last is None:
            self._last = Reading.now(self.kernel)
        self._shift = self.clock.shifts_ns()
        self._wall = self.clock.wall_ns()

    def end(self, number: int) -> bool:
        """A round has ended; whether its samples can be used."""
        wall_s = (self.clock.wall_ns() - self._wall) * NS
        now, earlier = self.clock.shifts_ns(), self._shift
        why = [name for name, ns in now.items() if abs(ns - earlier[name]) * NS > SHIFT_S]
        reading = Reading.now(self.kernel)
        since = reading.since(self._last or reading)
        device = NO_READING if self.gpu is None else self.gpu.reading()
        invalid = why[0] if why else ""
        row = {"round": number, "invalid": invalid, "wall_s": wall_s, **since, **device}
        self.rows.append(row)
        self._last = reading
        return not why
