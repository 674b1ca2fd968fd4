import pytest

from bench.doctor import Doctor
from bench.kernel import Kernel

CPU = "sys/devices/system/cpu"
QUIET = {
    "proc/stat": "cpu  100 0 100 99800 0 0 0 0 0 0\ncpu0 1 2 3",
    "proc/loadavg": "0.10 0.20 0.30 1/100 1234",
    "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\nSwapTotal: 0 kB",
    "proc/self/cgroup": "4:memory:/a/b\n1:cpu,cpuacct:/a\n0::/c",
    "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "-1",
    f"{CPU}/cpu0/cpufreq/scaling_governor": "performance",
    f"{CPU}/intel_pstate/no_turbo": "1",
    f"{CPU}/smt/active": "0",
    "sys/class/power_supply/AC/type": "Mains",
    "sys/class/power_supply/AC/online": "1",
}


def examine(root, files, variables=None):
    """What the doctor finds on a machine with these files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    doctor = Doctor(Kernel(root), variables or {}, cores=4, threads=1)
    return list(doctor.findings())


def test_a_quiet_machine_has_no_findings(tmp_path):
    """Where all is well nothing is said."""
    assert examine(tmp_path, QUIET) == []


def test_a_machine_that_tells_nothing_has_no_findings(tmp_path):
    """Without /proc and /sys (another system) nothing is claimed."""
    assert examine(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("file", "text", "what", "remedy"),
    [
        ("proc/loadavg", "3.50 1 1 1/1 1", "load average 3.5 on 4 cores", "top"),
        ("proc/stat", "cpu  100 0 100 700 0 0 0 100 0 0", "steal time 10.0%", "--repeats"),
        ("sys/fs/cgroup/cpu.max", "50000 100000", "CPU quota of 0.5 cores", "--threads 1"),
        ("sys/fs/cgroup/c/cpu.max", "50000 100000", "CPU quota of 0.5 cores", "--threads 1"),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1073741824", "1.0 GiB", "docker"),
        (f"{CPU}/cpu0/cpufreq/scaling_governor", "powersave", "'powersave'", "cpupower"),
        (f"{CPU}/intel_pstate/no_turbo", "0", "turbo", "no_turbo"),
        (f"{CPU}/cpu0/thermal_throttle/core_throttle_count", "7", "7 times", "sensors"),
        (f"{CPU}/smt/active", "1", "hyper-threading", "--threads 1"),
        ("sys/class/power_supply/AC/online", "0", "battery", "upower"),
        ("proc/meminfo", "MemTotal: 999 kB\nMemAvailable: 1048576 kB", "1.0 GiB", "ps aux"),
        (
            "proc/meminfo",
            "SwapTotal: 4194304 kB\nSwapFree: 2097152 kB",
            "2.0 GiB swapped",
            "swapoff",
        ),
    ],
)
def test_each_thing_that_hurts_is_found_with_its_remedy(tmp_path, file, text, what, remedy):
    """One change to a quiet machine is one finding: number, cause, next command."""
    (finding,) = examine(tmp_path, {**QUIET, file: text})
    assert what in finding.what
    assert finding.cause
    assert remedy in finding.remedy


def test_amd_turbo_is_found(tmp_path):
    """Where the driver is not Intel's, its switch is another file."""
    files = {k: v for k, v in QUIET.items() if "pstate" not in k}
    (finding,) = examine(tmp_path, {**files, f"{CPU}/cpufreq/boost": "1"})
    assert "cpufreq/boost" in finding.remedy


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "KMP_AFFINITY"])
def test_settings_of_thread_libraries_are_found(tmp_path, name):
    """A variable that changes threads, or that is overruled, is named with its value."""
    (finding,) = examine(tmp_path, QUIET, {name: "8"})
    assert finding.what == f"{name}=8"
    assert f"unset {name}" in finding.remedy


@pytest.mark.parametrize(
    "text", ["", "cpu", "cpu x y z", "\x00", "max 100000", "-", "1e9", "." * 9]
)
def test_files_of_any_content_are_survived(tmp_path, text):
    """A kernel that writes something else is not known, and no traceback."""
    examine(tmp_path, dict.fromkeys([*QUIET, "sys/fs/cgroup/cpu.max"], text))
