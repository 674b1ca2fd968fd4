import os

import pytest

from bench.machine.kernel import CPUS, Kernel

CPU = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
FILES = {
    "proc/stat": "cpu  100 0 100 99800 0 0 0 20 0 0\ncpu0 1 2 3",
    "proc/loadavg": "0.10 0.20 0.30 1/100 1234",
    "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB",
    "proc/self/cgroup": "0::/c",
    "sys/fs/cgroup/c/cpu.max": "150000 100000",
    "sys/fs/cgroup/c/cpu.stat": "nr_throttled 3",
    "sys/fs/cgroup/c/memory.max": "2147483648",
    f"{CPUS}/cpu{CPU}/cpufreq/scaling_cur_freq": "2000000",
    f"{CPUS}/cpu{CPU}/thermal_throttle/core_throttle_count": "5",
    f"{CPUS}/cpu{CPU}/topology/thread_siblings_list": "0",
}
READERS = {
    "steal_s": ("proc/stat",),
    "load_average": ("proc/loadavg",),
    "cpu_hz": (f"{CPUS}/cpu{CPU}/cpufreq/scaling_cur_freq",),
    "throttled": (f"{CPUS}/cpu{CPU}/thermal_throttle/core_throttle_count",),
    "quota_stops": ("proc/self/cgroup", "sys/fs/cgroup/c/cpu.stat"),
    "cpu_quota": ("proc/self/cgroup", "sys/fs/cgroup/c/cpu.max"),
    "memory_limit": ("proc/self/cgroup", "sys/fs/cgroup/c/memory.max", "proc/meminfo"),
}
"""What is read of a machine, and the files without any one of which it is not known."""


def known(root):
    """The readers that know something of the machine below `root`."""
    kernel = Kernel(root)
    return {name for name in READERS if getattr(kernel, name)() is not None}


@pytest.mark.parametrize("hidden", FILES)
@pytest.mark.parametrize("how", ["missing", "unreadable", "unsupported"])
def test_a_file_that_a_container_hides_takes_its_own_readings_and_no_others(tmp_path, hidden, how):
    """No such file, one that cannot be read, or words where a number should be."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert known(tmp_path) == set(READERS)
    (tmp_path / hidden).unlink()
    if how == "unreadable":
        (tmp_path / hidden).mkdir()  # reading a directory is an OSError, for root as well
    elif how == "unsupported":
        (tmp_path / hidden).write_text("<unknown>\n")
    lost = {name for name, files in READERS.items() if hidden in files}
    assert known(tmp_path) == set(READERS) - lost
    assert "MemAvailable" in Kernel(tmp_path).memory() or hidden == "proc/meminfo"
    assert (Kernel(tmp_path).physical_cores([CPU]) is None) is (
        "topology" in hidden and how != "unsupported"
    )


def test_nothing_is_known_without_any_file(tmp_path):
    """A system of another kind."""
    assert known(tmp_path) == set()
    assert Kernel(tmp_path).memory() == {}
