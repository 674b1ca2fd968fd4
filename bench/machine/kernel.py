"""What the Linux kernel reports of a machine in its files, read below one root; unknown is None."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CPUS = "sys/devices/system/cpu"
CPUS_READ = 4
"""CPUs whose frequency and throttling are read: on some kernels each takes milliseconds."""
KIB = 1024


@dataclass(frozen=True)
class Kernel:
    """The files below `root`; tests give a tree of their own."""

    root: Path = Path("/")

    def text(self, path: str) -> str | None:
        """A file's contents, stripped; None where it cannot be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def number(self, path: str) -> float | None:
        """The number that a file holds; None where there is none."""
        return _number(self.text(path))

    def cpus(self) -> list[int]:
        """The first few CPUs that this process may run on."""
        allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(CPUS_READ)
        return sorted(allowed)[:CPUS_READ]

    def physical_cores(self, cpus: Iterable[int]) -> int | None:
        """On how many cores these CPUs are; None where the kernel does not report one of them."""
        found = {self.text(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list") for cpu in cpus}
        return None if None in found else len(found)

    def steal_s(self) -> float | None:
        """Seconds of CPU time that the hypervisor has taken, of all CPUs together."""
        fields = (self.text("proc/stat") or "").partition("\n")[0].split()
        ticks = _number(fields[8]) if len(fields) > 8 and fields[0] == "cpu" else None
        return None if ticks is None else ticks / os.sysconf("SC_CLK_TCK")

    def load_average(self) -> float | None:
        """Processes that ran or wanted to, on average over the last minute."""
        return _number((self.text("proc/loadavg") or "").partition(" ")[0])

    def cpu_hz(self) -> float | None:
        """Mean frequency of the CPUs now."""
        found = [self.number(f"{CPUS}/cpu{cpu}/cpufreq/scaling_cur_freq") for cpu in self.cpus()]
        known = [khz * 1e3 for khz in found if khz is not None]
        return sum(known) / len(known) if known else None

    def throttled(self) -> float | None:
        """How often the CPUs have slowed down because of heat."""
        kinds = ("core_throttle_count", "package_throttle_count")
        found = [
            self.number(f"{CPUS}/cpu{cpu}/thermal_throttle/{kind}")
            for cpu in self.cpus()
            for kind in kinds
        ]
        known = [count for count in found if count is not None]
        return sum(known) if known else None

    def quota_stops(self) -> float | None:
        """How often this process' control groups were stopped, their CPU quota being used up."""
        found = []
        for place in self._groups("cpu"):
            for line in (self.text(f"{place}/cpu.stat") or "").splitlines():
                name, _, count = line.partition(" ")
                if name == "nr_throttled":
                    found.append(_number(count))
        known = [count for count in found if count is not None]
        return sum(known) if known else None

    def memory(self) -> dict[str, float]:
        """Sizes in /proc/meminfo, in bytes, by their names there."""
        found = {}
        for line in (self.text("proc/meminfo") or "").splitlines():
            name, _, rest = line.partition(":")
            kib = _number(rest.removesuffix("kB"))
            if kib is not None:
                found[name] = kib * KIB
        return found

    def cpu_quota(self) -> float | None:
        """CPUs' worth of time that this process' control groups may use; None without a limit."""
        found = []
        for place in self._groups("cpu"):
            quota, _, period = (self.text(f"{place}/cpu.max") or "").partition(" ")  # version 2
            of, per = _number(quota), _number(period)
            if of is None:
                of = self.number(f"{place}/cpu.cfs_quota_us")  # version 1: -1 without a limit
                per = self.number(f"{place}/cpu.cfs_period_us")
            if of and per and of > 0:
                found.append(of / per)
        return min(found, default=None)

    def memory_limit(self) -> float | None:
        """Bytes that this process' control groups may use; None without a limit."""
        total = self.memory().get("MemTotal", 0.0)
        limits = [
            self.number(f"{place}/{name}")
            for place in self._groups("memory")
            for name in ("memory.max", "memory.limit_in_bytes")
        ]
        return min((n for n in limits if n is not None and n < total), default=None)

    def _groups(self, controller: str) -> list[str]:
        """Directories of this process' control groups, of either version; all their limits hold."""
        found = []
        for line in (self.text("proc/self/cgroup") or "").splitlines():
            _, _, rest = line.partition(":")
            names, _, path = rest.partition(":")
            if names and controller not in names.split(","):
                continue
            mount = f"sys/fs/cgroup/{controller}" if names else "sys/fs/cgroup"
            parts = [p for p in path.split("/") if p not in ("", "..")]
            found += ["/".join((mount, *parts[:n])) for n in range(len(parts), -1, -1)]
        return found


def _number(text: str | None) -> float | None:
    """A plain decimal number; None for anything else."""
    text = (text or "").strip()
    digits = text.removeprefix("-").replace(".", "", 1)
    return float(text) if digits.isascii() and digits.isdigit() else None
