"""`bench doctor`: what on this machine will hurt a measurement, why, and the command that fixes it.

Reads the files of the kernel below one root and the environment variables; changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from bench.machine.fingerprint import default_threads
from bench.machine.kernel import CPUS, KIB, Kernel

MEMORY_NEEDED = 4 * 2**30
"""Bytes free for two base models in float32, the libraries, and activations at batch 32."""
LOAD_SHARE = 0.25
"""Of the cores; a load beyond this before a run is other programs' work."""
STEAL_SHARE = 0.01
"""Of all CPU time since the machine started; beyond this the hypervisor is overcommitted."""
GIB = 2**30
MOST_LISTED = 8
"""CPUs named in a finding."""


def usable_cpus() -> list[int]:
    """The CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@dataclass(frozen=True)
class Hazard:
    """One thing that hurts: the number seen, what it does to results, and what to type."""

    what: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Doctor:
    """Examines one machine; all fields are seams for tests. `cpus`: where this process may run."""

    kernel: Kernel = field(default_factory=Kernel)
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    threads: int = field(default_factory=default_threads)
    cpus: Collection[int] = field(default_factory=usable_cpus)

    def findings(self) -> Iterator[Hazard]:
        """Everything that will hurt here, the worst kinds first."""
        yield from self._others()
        yield from self.standing()

    def standing(self) -> Iterator[Hazard]:
        """What hurts here whoever else is on the machine."""
        yield from self._limits()
        yield from self.frequency()
        yield from self._memory()
        yield from self._threads()

    def unknown(self) -> list[str]:
        """What this system does not report: a virtual machine hides its clocks, for one."""
        kernel = self.kernel
        turbo = ("intel_pstate/no_turbo", "cpufreq/boost")
        readings = {
            "load": kernel.load_average(),
            "steal time": kernel.steal_s(),
            "frequency governor": kernel.text(f"{CPUS}/cpu0/cpufreq/scaling_governor"),
            "turbo": next(filter(None, (kernel.text(f"{CPUS}/{place}") for place in turbo)), None),
            "throttling by heat": kernel.throttled(),
            "available memory": kernel.memory().get("MemAvailable"),
            "hyper-threading": kernel.text(f"{CPUS}/smt/active"),
        }
        return [name for name, found in readings.items() if found is None]

    def _others(self) -> Iterator[Hazard]:
        """Who else uses this machine's CPUs."""
        load = self.kernel.load_average()
        if load is not None and load > LOAD_SHARE * self.cores:
            yield Hazard(
                f"load average {load:.1f} on {self.cores} cores",
                "other programs compete with every forward",
                "top -o %CPU   # and end what you do not need",
            )
        fields = (self.kernel.text("proc/stat") or "").partition("\n")[0].split()[1:9]
        ticks = [int(f) for f in fields if f.isdigit()]
        total = float(sum(ticks))
        stolen = ticks[7] / total if len(ticks) == 8 and total else 0.0
        if stolen > STEAL_SHARE:
            yield Hazard(
                f"steal time {stolen:.1%} since start",
                "the hypervisor gives this machine's CPUs to others",
                "bench run --processes 10   # more processes, or a dedicated machine",
            )

    def _limits(self) -> Iterator[Hazard]:
        """What a control group (a container) holds back."""
        quota = self.kernel.cpu_quota()
        if quota is not None and quota < self.threads:
            more = "docker update --cpus 1 CONTAINER   # or the like for your container"
            fewer = f"bench run --threads {int(quota)}   # or no --cpus for the container"
            yield Hazard(
                f"CPU quota of {quota:.1f} cores for {self.threads} threads",
                "the control group stops all threads for the rest of each 100 ms",
                more if quota < 1 else fewer,
            )
        limit = self.kernel.memory_limit()
        if limit is not None and limit < MEMORY_NEEDED:
            yield Hazard(
                f"memory limit of {limit / GIB:.1f} GiB",
                "the control group kills what uses more",
                "docker update --memory 8g CONTAINER   # or the like for your container",
            )

    def frequency(self) -> Iterator[Hazard]:
        """What makes a CPU run at changing speed."""
        governors = {
            self.kernel.text(f"{CPUS}/cpu{cpu}/cpufreq/scaling_governor") for cpu in self.cpus
        }
        for governor in sorted(name for name in governors if name not in (None, "performance")):
            yield Hazard(
                f"CPU frequency governor {governor!r}",
                "clocks rise and fall with the load: the first forwards run slower",
                f"echo performance | sudo tee /{CPUS}/cpu*/cpufreq/scaling_governor",
            )
        if self.kernel.text(f"{CPUS}/intel_pstate/no_turbo") == "0":
            yield self._turbo(f"echo 1 | sudo tee /{CPUS}/intel_pstate/no_turbo")
        elif self.kernel.text(f"{CPUS}/cpufreq/boost") == "1":
            yield self._turbo(f"echo 0 | sudo tee /{CPUS}/cpufreq/boost")
        throttled = self.kernel.throttled()
        if throttled:
            yield Hazard(
                f"{throttled:.0f} times throttled since start",
                "the CPU slows down because of heat",
                "sensors   # and cool it, or give --threads fewer",
            )
        if any(self._drains(supply) for supply in self._supplies()):
            yield Hazard(
                "running on battery",
                "firmware lowers clocks to save power",
                "bench doctor   # after plugging it in",
            )

    @staticmethod
    def _turbo(remedy: str) -> Hazard:
        return Hazard("turbo is on", "clocks depend on heat and on what ran before", remedy)

    def _drains(self, supply: str) -> bool:
        """Whether this supply shows that the machine lives on its battery."""
        kind = self.kernel.text(f"{supply}/type")
        if kind == "Battery" and self.kernel.text(f"{supply}/scope") != "Device":  # not a mouse's
            return self.kernel.text(f"{supply}/status") == "Discharging"
        return kind == "Mains" and self.kernel.text(f"{supply}/online") == "0"

    def _supplies(self) -> list[str]:
        root, place = self.kernel.root, "sys/class/power_supply"
        try:
            return sorted(f"{place}/{path.name}" for path in (root / place).iterdir())
        except OSError:
            return []

    def _memory(self) -> Iterator[Hazard]:
        """What sends memory to the disk."""
        memory = self.kernel.memory()
        free = memory.get("MemAvailable")
        if free is not None and free < MEMORY_NEEDED:
            yield Hazard(
                f"{free / GIB:.1f} GiB of memory available",
                "large workloads run out of memory, or page",
                "ps aux --sort -rss | head   # and end what you do not need",
            )
        swapped = memory.get("SwapTotal", 0.0) - memory.get("SwapFree", 0.0)
        if swapped > 64 * KIB * KIB:
            yield Hazard(
                f"{swapped / GIB:.1f} GiB swapped out",
                "pages come back from the disk in the middle of a forward",
                "sudo swapoff -a && sudo swapon -a",
            )

    def _threads(self) -> Iterator[Hazard]:
        """Who decides on which cores a forward runs."""
        if self.kernel.text(f"{CPUS}/smt/active") == "1":
            yield Hazard(
                "hyper-threading is on",
                "whatever else runs shares the units of the core that a forward runs on",
                f"echo off | sudo tee /{CPUS}/smt/control",
            )
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            if name in self.variables:
                yield Hazard(
                    f"{name}={self.variables[name]}",
                    "bench sets it for its workers, from --threads: your value is not used",
                    f"unset {name}; bench run --threads N",
                )
        for name in ("OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "MKL_DYNAMIC"):
            if name in self.variables:
                yield Hazard(
                    f"{name}={self.variables[name]}",
                    "it changes where threads run: results of other machines do not have it",
                    f"unset {name}",
                )
        cores = self.kernel.physical_cores(self.cpus)
        most = min(len(self.cpus), cores or len(self.cpus))
        if 0 < most < self.threads:
            yield Hazard(
                f"{self.threads} threads for {most} usable cores (CPUs {_listed(self.cpus)})",
                "threads wait for each other, or share the units of a core",
                f"bench run --threads {most}   # or run it without taskset",
            )


def _listed(cpus: Collection[int]) -> str:
    shown = [str(cpu) for cpu in sorted(cpus)]
    return ", ".join(shown if len(shown) <= MOST_LISTED else [*shown[:MOST_LISTED], "..."])
