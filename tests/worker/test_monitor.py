import math
import random
from dataclasses import replace

import pandas as pd
import pytest
from fakes import FakeClock, pair, sample_rows, write_run
from hypothesis import given
from hypothesis import strategies as st

from bench.core.events import Phase
from bench.machine.doctor import Doctor
from bench.machine.gpu import NO_READING
from bench.machine.kernel import Kernel
from bench.report.case_tables import case_tables
from bench.report.disturbances import disturbance_table
from bench.report.view import View
from bench.results import store as records
from bench.stats import noise_causes as noise
from bench.stats import summary as stats
from bench.worker.clock import SystemClock
from bench.worker.monitor import Reading, RoundWatch
from bench.worker.sampler import Limits, Sampler

NOTHING = {
    "steal_s": 0.0,
    "involuntary_switches": 0.0,
    "minor_faults": 0.0,
    "major_faults": 0.0,
    "cpu_hz": 2e9,
    "throttled": 0.0,
    "load_average": 0.1,
    **NO_READING,
}


def sample(clock, forward, tmp_path, *, budget_s=5.0):
    """Sample one forward under watch; returns the samples and the watch."""
    watch = RoundWatch(clock, Kernel(tmp_path))
    sampler = Sampler(clock, random.Random(0), Limits(budget_s, 0.0), watch)
    return sampler.rounds({"m": forward}, {"m": 0.05})["m"], watch


@pytest.mark.parametrize("why", ["suspended", "clock set"])
def test_a_round_in_which_the_clocks_part_is_discarded_and_told(clock, tmp_path, why):
    """All its samples are kept under another phase; the rounds beside it stay as they are."""
    count = iter(range(10**6))

    def forward():
        clock.turn(0.05)
        if next(count) == 7:
            clock.shifts[why] += 3600 * 10**9

    found, watch = sample(clock, forward, tmp_path)
    lost = [row["round"] for row in watch.rows if row["invalid"]]
    assert len(lost) == 1
    assert {row["invalid"] for row in watch.rows} == {"", why}
    assert {t.round for t in found if t.phase is Phase.INVALID} == set(lost)
    assert not [t for t in found if t.phase is Phase.SAMPLE and t.round in lost]


def test_a_sleep_is_called_a_sleep(clock, tmp_path):
    """After a sleep the time of day stands ahead too: the cause is named, not the effect."""
    count = iter(range(10**6))

    def forward():
        clock.turn(0.05)
        if next(count) == 7:
            clock.shifts = {"suspended": 10**10, "clock set": 10**10}

    _, watch = sample(clock, forward, tmp_path)
    assert [r["invalid"] for r in watch.rows if r["invalid"]] == ["suspended"]


def test_a_clock_that_drifts_disturbs_nothing(clock, tmp_path):
    """Corrections of a network's time are far below a step."""

    def forward():
        clock.turn(0.05)
        clock.shifts["clock set"] += 10**5

    found, _ = sample(clock, forward, tmp_path)
    assert Phase.INVALID not in {t.phase for t in found}


def test_a_machine_that_sleeps_in_every_round_is_given_up(clock, tmp_path):
    """Without one good round there is no result, and the reason says why; it does not go on."""

    def forward():
        clock.turn(0.05)
        clock.shifts["suspended"] += 10**9

    with pytest.raises(RuntimeError, match="every round was invalid"):
        sample(clock, forward, tmp_path)


def test_a_watch_reads_a_real_machine():
    """Each round has a row of the columns that the contract names, on any system."""
    watch = RoundWatch(SystemClock())
    for number in (1, 2):
        watch.begin()
        assert watch.end(number)
    wanted = [c for c in records.TABLES["rounds"] if c not in ("group", "process", "index", "of")]
    assert [list(row) for row in watch.rows] == [wanted, wanted]


def test_counters_are_differences_between_rounds(tmp_path):
    """Steal time of a round is what was added to the kernel's counter in it."""
    clock, watch = FakeClock(), None
    (tmp_path / "proc").mkdir()
    stat = tmp_path / "proc" / "stat"
    stat.write_text("cpu 1 1 1 1 1 1 1 500 0 0\n")
    watch = RoundWatch(clock, Kernel(tmp_path))
    watch.begin()
    clock.turn(2.0)
    stat.write_text("cpu 1 1 1 1 1 1 1 550 0 0\n")
    watch.end(1)
    assert watch.rows[0]["steal_s"] == pytest.approx(0.5)
    assert watch.rows[0]["wall_s"] == 2.0
    assert watch.rows[0]["load_average"] is None


@pytest.mark.parametrize("group", ["0::/c", "1:cpu,cpuacct:/c"])
def test_stops_by_a_quota_count_as_throttling(tmp_path, group):
    """Beside those by heat, of control groups of either version."""
    place = "sys/fs/cgroup/cpu/c" if "cpu" in group else "sys/fs/cgroup/c"
    heat = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    for name, text in (("proc/self/cgroup", group), (f"{place}/cpu.stat", ""), (heat, "5")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    counts = []
    for stops in (3, 7):
        (tmp_path / place / "cpu.stat").write_text(f"nr_periods 9\nnr_throttled {stops}\nx 1\n")
        counts.append(Reading.now(Kernel(tmp_path)))
    assert counts[0].throttled in (3.0, 8.0)  # with heat where this process may run on CPU 0
    assert counts[1].since(counts[0])["throttled"] == 4.0


@given(st.text())
def test_a_kernel_with_any_text_gives_a_number_or_nothing(tmp_path_factory, text):
    """Files that hold something else are not known."""
    root = tmp_path_factory.mktemp("kernel")
    (root / "file").write_text(text, encoding="utf-8")
    assert isinstance(Kernel(root).number("file"), float | None)


def doctor(root):
    """One for a machine with nothing but the files below `root`."""
    return Doctor(Kernel(root), {}, cores=2, threads=1, cpus=[0])


def a_run(tmp_path, walls, **disturbed):
    """A run of two cases with these seconds, and rounds in which something happened."""
    cases = pair()
    write_run(tmp_path / "run", cases, {c.id: [walls] for c in cases})
    writer = records.open_run(tmp_path / "run", resume=True)
    rows = [{"round": i, "invalid": "", "wall_s": 0.1, **NOTHING, **disturbed} for i in range(1, 5)]
    rows[0] |= {k: v / 2 for k, v in disturbed.items() if k in ("cpu_hz", "gpu_sm_hz")}
    writer.append_batch("rounds", cases[0].group, 1, rows)
    writer.close()
    return records.read_run(tmp_path / "run")


WILD = [0.1, 0.2, 0.1, 0.2, 0.15, 0.25, 0.1]


def test_a_quiet_run_has_no_warning(tmp_path):
    """Samples within a tenth of each other are not called noisy."""
    run = a_run(tmp_path, [0.1, 0.101, 0.102, 0.1])
    assert noise.warnings(run, stats.summarise(run)) == []


@pytest.mark.parametrize(
    ("disturbed", "words"),
    [
        ({"steal_s": 0.05}, "hypervisor took 25%"),
        ({"throttled": 1.0}, "because of heat"),
        ({"cpu_hz": 3e9}, "between 1.5 and 3.0 GHz: echo performance | sudo tee /sys"),
        ({"load_average": 5.0}, "load average was 5.0 on 2 cores"),
        ({"involuntary_switches": 50.0}, "interrupted 500 times a second: close other programs"),
        ({"involuntary_switches": 50.0, "load_average": math.nan}, ": threads were interrupted"),
        ({"major_faults": 2.0}, "8 page faults read the disk"),
        (
            {"minor_faults": 5000.0},
            "50,000 pages a second: start with MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=",
        ),
        (
            {"gpu_throttle": "heat", "gpu_sm_hz": 1.2e9},
            "the GPU was held back in 100% of the rounds (heat), between 0.60 and 1.20 GHz: cool",
        ),
        (
            {"gpu_sm_hz": 1.2e9},
            "the GPU's clock moved, between 0.60 and 1.20 GHz: fix it (sudo nvidia-smi --lock-gpu",
        ),
        ({"major_faults": 0.05}, "no cause was seen"),
        ({"involuntary_switches": 2.5}, "no cause was seen"),  # its own libraries' pools
        ({}, "no cause was seen between rounds: what this machine has is CPU frequency governor"),
    ],
)
def test_a_noisy_case_is_named_with_the_remedy_that_applies(tmp_path, disturbed, words):
    """The line says how noisy, which case is worst, what was seen, and what to do about that."""
    run = a_run(tmp_path, WILD, **disturbed)
    governor = tmp_path / "sys" / "devices" / "system" / "cpu" / "cpu0" / "cpufreq"
    governor.mkdir(parents=True)
    (governor / "scaling_governor").write_text("powersave")
    (text,) = noise.warnings(run, stats.summarise(run), doctor(tmp_path))
    assert "fewer" not in text  # one thread is what the run had
    assert text.startswith("noisy: the middle half of the samples spans more than 10%")
    assert "in 2 of 2 timed cases" in text
    assert words in text


def test_a_frequency_that_was_not_known_at_first_is_left_out(tmp_path):
    """The kernel does not always tell it: the others still have a least and a most."""
    run = a_run(tmp_path, WILD, cpu_hz=3e9)
    rounds = pd.concat([run.rounds.head(1).assign(cpu_hz=math.nan), run.rounds])
    (text,) = noise.warnings(replace(run, rounds=rounds), stats.summarise(run), doctor(tmp_path))
    assert "between 1.5 and 3.0 GHz" in text


def test_a_quota_is_told_from_heat(tmp_path):
    """Where the control group has one, it is what stopped the threads."""
    for name, text in (("proc/self/cgroup", "0::/"), ("sys/fs/cgroup/cpu.max", "150000 100000")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    run = a_run(tmp_path, WILD, throttled=2.0)
    (text,) = noise.warnings(run, stats.summarise(run), doctor(tmp_path))
    assert "stopped all threads 8 times, its quota of 1.5 CPUs being used up" in text
    assert "heat" not in text


@pytest.mark.parametrize(
    ("disturbed", "words"),
    [({}, "finds nothing to fix"), ({"cpu_hz": 3e9}, "neither governor nor turbo can be set")],
)
def test_a_remedy_that_this_machine_does_not_have_is_not_named(tmp_path, disturbed, words):
    """Where nothing can be set, more processes are what is left."""
    run = a_run(tmp_path, WILD, **disturbed)
    (text,) = noise.warnings(run, stats.summarise(run), doctor(tmp_path))
    assert words in text
    assert "sudo" not in text
    assert "more --processes narrow the intervals" in text


def test_what_a_gpu_told_between_rounds_stands_in_the_table(tmp_path):
    """Its clock, what held it back, power and heat; without a GPU there is no such row."""
    told = {"gpu_sm_hz": 1.9e9, "gpu_power_w": 310.0, "gpu_temperature_c": 61.0}
    a_run(tmp_path / "gpu", [0.1] * 4, **told, gpu_throttle="power cap")
    a_run(tmp_path / "cpu", [0.1] * 4)
    with_gpu, without = (disturbance_table(View.of(tmp_path / n / "run")) for n in ("gpu", "cpu"))
    rows = {row[0]: row[1:3] for row in with_gpu.rows}
    assert rows["GPU clock"] == ["0.95 to 1.90 GHz", "0.95 GHz"]
    assert rows["GPU held back"] == ["4 of 4 rounds", "power cap"]
    assert rows["GPU power"] == ["310 to 310 W", "310 W"]
    assert rows["GPU temperature"] == ["61 to 61 °C", "61 °C"]
    assert without is None or not [row for row in without.rows if "GPU" in row[0]]


def test_each_noisy_case_is_marked_in_the_table(tmp_path):
    """Its status says so, beside the figure; a quiet case's does not."""
    walls = {c.id: [WILD if c.model == "albert" else [0.1] * 7] * 2 for c in pair()}
    write_run(tmp_path / "run", pair(), walls)
    (table,) = case_tables([View.of(tmp_path / "run")])
    status, noise = (table.columns.index(name) for name in ("Status", "IQR/median, %"))
    assert [row[status] for row in table.rows] == ["ok", "ok, noisy"]
    assert [float(row[noise]) > 10 for row in table.rows] == [False, True]


def test_warnings_are_renewed_not_heaped(tmp_path):
    """A resumed run says how it is now, and keeps what others said."""
    run = a_run(tmp_path, WILD)
    summary = stats.summarise(run)
    once = noise.refresh(["something else"], run, summary)
    assert noise.refresh(once, run, summary) == once
    assert once[0] == "something else"


def test_discarded_rounds_are_counted_and_stay_out_of_every_statistic(tmp_path):
    """What a suspended round holds is in the file and in no number."""
    run = a_run(tmp_path, [0.1, 0.1, 0.1])
    before = stats.summarise(run)
    writer = records.open_run(tmp_path / "run", resume=True)
    rows = [{**row, "phase": "invalid", "wall_s": 99.0} for row in sample_rows([1.0, 1.0])]
    writer.append_batch("samples", pair()[0].id, 2, rows)
    row = {"round": 1, "invalid": "suspended", "wall_s": 99.0, **NOTHING}
    writer.append_batch("rounds", pair()[0].group, 2, [row])
    writer.close()
    run = records.read_run(tmp_path / "run")
    after = stats.summarise(run)
    assert after.equals(before)
    (text,) = noise.warnings(run, after)
    assert text.startswith("discarded: 1 of 5 rounds (1 suspended)")
