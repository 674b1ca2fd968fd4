import pytest

from bench.cli.health import doctor
from bench.machine.doctor import Doctor
from bench.machine.kernel import Kernel

CPU = "sys/devices/system/cpu"
QUIET = {
    "proc/stat": "cpu  100 0 100 99800 0 0 0 0 0 0\ncpu0 1 2 3",
    "proc/loadavg": "0.10 0.20 0.30 1/100 1234",
    "proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\nSwapTotal: 0 kB",
    "proc/self/cgroup": "4:memory:/a/b\n1:cpu,cpuacct:/a\n0::/c",
    "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1",
    f"{CPU}/cpu0/cpufreq/scaling_governor": "performance",
    f"{CPU}/intel_pstate/no_turbo": "1",
    f"{CPU}/smt/active": "0",
    f"{CPU}/cpu0/topology/thread_siblings_list": "0",
    f"{CPU}/cpu1/topology/thread_siblings_list": "1",
    "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
    "sys/class/power_supply/AC/type": "Mains",
    "sys/class/power_supply/AC/online": "1",
    "sys/class/power_supply/BAT0/type": "Battery",
    "sys/class/power_supply/BAT0/status": "Full",
    "sys/class/power_supply/mouse/type": "Battery",
    "sys/class/power_supply/mouse/scope": "Device",
    "sys/class/power_supply/mouse/status": "Discharging",
}


def examine(root, files, variables=None, **facts):
    """What the doctor finds on a machine with these files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    facts = {"cores": 4, "threads": 1, "cpus": [0, 1], **facts}
    return list(Doctor(Kernel(root), variables or {}, **facts).findings())


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
        ("proc/stat", "cpu  100 0 100 700 0 0 0 100 0 0", "steal time 10.0%", "--processes"),
        ("sys/fs/cgroup/cpu.max", "50000 100000", "CPU quota of 0.5 cores", "docker update --cpus"),
        ("sys/fs/cgroup/c/cpu.max", "50000 100000", "CPU quota of 0.5 cores", "--cpus 1"),
        (
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us",
            "50000",
            "CPU quota of 0.5 cores",
            "--cpus 1",
        ),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1073741824", "1.0 GiB", "docker"),
        (f"{CPU}/cpu0/cpufreq/scaling_governor", "powersave", "'powersave'", "echo performance"),
        (f"{CPU}/cpu1/cpufreq/scaling_governor", "schedutil", "'schedutil'", "scaling_governor"),
        (f"{CPU}/intel_pstate/no_turbo", "0", "turbo", "no_turbo"),
        (f"{CPU}/cpu0/thermal_throttle/core_throttle_count", "7", "7 times", "sensors"),
        (f"{CPU}/smt/active", "1", "hyper-threading", "echo off | sudo tee"),
        ("sys/class/power_supply/AC/online", "0", "battery", "plugging it in"),
        ("sys/class/power_supply/BAT0/status", "Discharging", "battery", "plugging it in"),
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


def test_what_a_system_does_not_tell_is_named(tmp_path):
    """Silence about turbo is no word that it is off; what is told is left out."""
    hidden = {k: v for k, v in QUIET.items() if "cpufreq" not in k and "pstate" not in k}
    examine(tmp_path, hidden)
    (tmp_path / CPU / "cpu0" / "thermal_throttle").mkdir()
    (tmp_path / CPU / "cpu0" / "thermal_throttle" / "core_throttle_count").write_text("0")
    assert Doctor(Kernel(tmp_path), {}).unknown() == ["frequency governor", "turbo"]


def test_the_command_prints_findings_or_their_absence(capsys):
    """On whatever machine this runs: a table or a sentence."""
    doctor()
    said = capsys.readouterr().out
    assert ("next command" in said) != ("nothing found that would hurt" in said)


def test_amd_turbo_is_found(tmp_path):
    """Where the driver is not Intel's, its switch is another file."""
    files = {k: v for k, v in QUIET.items() if "pstate" not in k}
    (finding,) = examine(tmp_path, {**files, f"{CPU}/cpufreq/boost": "1"})
    assert "cpufreq/boost" in finding.remedy


@pytest.mark.parametrize(
    ("outer", "inner", "cores"), [("400000", "150000", "1.5"), ("150000", "400000", "1.5")]
)
def test_the_tightest_of_nested_quotas_holds(tmp_path, outer, inner, cores):
    """A group of 4 cores within one of 1.5 gets 1.5; the remedy is as many threads as fit."""
    files = {"proc/self/cgroup": "0::/c"}
    files["sys/fs/cgroup/cpu.max"] = f"{outer} 100000"
    files["sys/fs/cgroup/c/cpu.max"] = f"{inner} 100000"
    (finding,) = examine(tmp_path, {**QUIET, **files}, threads=2)
    assert finding.what == f"CPU quota of {cores} cores for 2 threads"
    assert "bench run --threads 1 " in finding.remedy


def test_a_tight_memory_limit_within_a_wide_one_is_found(tmp_path):
    """Each group's limit holds, also where another one is met first."""
    place = "sys/fs/cgroup/memory"
    files = {f"{place}/a/b/memory.limit_in_bytes": str(8 * 2**30)}
    files[f"{place}/a/memory.limit_in_bytes"] = str(2 * 2**30)
    (finding,) = examine(tmp_path, {**QUIET, **files})
    assert finding.what == "memory limit of 2.0 GiB"


@pytest.mark.parametrize(
    ("siblings", "cpus", "found"),
    [
        (("0,1", "0,1"), [0, 1], "2 threads for 1 usable cores (CPUs 0, 1)"),
        (("0", "1"), [1], "2 threads for 1 usable cores (CPUs 1)"),
        (("0", "1"), [0, 1], None),
    ],
)
def test_more_threads_than_usable_cores_are_found(tmp_path, siblings, cpus, found):
    """Where a process is bound to one CPU, or to the two CPUs of one core, two threads wait."""
    files = {f"{CPU}/cpu{n}/topology/thread_siblings_list": text for n, text in enumerate(siblings)}
    findings = examine(tmp_path, {**QUIET, **files}, threads=2, cpus=cpus)
    assert [f.what for f in findings] == ([found] if found else [])
    assert all("bench run --threads 1 " in f.remedy for f in findings)


VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_PROC_BIND",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "MKL_DYNAMIC",
)


@pytest.mark.parametrize("name", VARIABLES)
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
