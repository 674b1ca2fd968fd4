"""What happens to workers: killed, hanging or gone at every stage, out of memory, without /proc."""

import dataclasses
import os
import shutil
import sys
from pathlib import Path

import psutil
import pytest
import scripted_run
from fakes import ALBERT, BERT, RANDOM, TINY, ListDisplay, case, pair, run_environment
from machine import memory_group, needs_root

from bench.core.architecture import Model
from bench.core.measures.memory import MEMORY
from bench.core.suite import Sampling
from bench.results import store as records
from bench.runner import process as launch
from bench.runner.process import ProcessLauncher
from bench.runner.runner import Runner
from bench.stats import summary as stats

pytestmark = pytest.mark.process

FAULTY = Path(__file__).parents[1] / "support" / "faulty_worker.py"
PATIENCE_S = 240.0
"""Longer than a healthy worker is silent, however busy the machine."""
SHORT_S = 5.0
"""For a worker that is meant to hang: a healthy one says something more often than that."""
CASES = [*pair(seq_len=4), *pair(seq_len=8)]


def run_with(tmp_path, fault, where, cases=CASES, timeout_s=PATIENCE_S):
    """Measure, while one worker has its accident; returns the status of each case, and the run."""
    writer = records.open_run(tmp_path / "run")
    writer.write_environment(run_environment(cases))
    marker = tmp_path / "struck"
    runner = Runner(
        writer=writer,
        launcher=ProcessLauncher((sys.executable, str(FAULTY), fault, where, str(marker))),
        display=ListDisplay(),
        sampling=Sampling(processes=1, min_processes=1, budget_s=0.05, memory_processes=1),
        timeout_s=timeout_s,
        seed=0,
        models=(BERT, ALBERT),
        sources={"bert": RANDOM, "albert": RANDOM},
        checkpoints={"bert": None, "albert": None},
        cases=cases,
    )
    try:
        runner.measure()
    finally:
        writer.close()
    assert marker.exists()
    run = records.read_run(writer.directory)
    assert run.damage == ()
    assert run.cases["case"].is_unique
    delivered = {t[1] for t in runner.display.told if t[0] == "advance"}
    assert set(run.samples["case"]) == delivered
    return run


def outcome(run):
    """Status of each case by id."""
    return dict(zip(run.cases["case"], run.cases["status"], strict=True))


def is_gone(pid):
    """Whether a process has ended; waits a while where it is about to."""
    try:
        psutil.Process(pid).wait(30)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


@pytest.mark.parametrize(
    ("where", "lost"),
    [
        pytest.param("loading", lambda c: c.model == "albert", marks=pytest.mark.extended),
        pytest.param("warming", lambda c: c.workload.seq_len == 8, marks=pytest.mark.extended),
        ("sampling", lambda c: c.workload.seq_len == 8),
        pytest.param("writing", lambda c: c.workload.seq_len == 4, marks=pytest.mark.extended),
    ],
)
def test_a_worker_killed_at_any_stage_costs_what_it_was_doing(tmp_path, where, lost):
    """What was delivered stays, what was being done is a row with the reason, the rest goes on."""
    run = run_with(tmp_path, "kill", where)
    assert outcome(run) == {c.id: "killed" if lost(c) else "ok" for c in CASES}
    reasons = set(run.cases.loc[run.cases["status"] == "killed", "reason"])
    assert reasons == {"the worker was ended by SIGKILL; the system may have run out of memory"}


def test_a_worker_that_exits_without_a_word_fails_what_it_had(tmp_path):
    """Exit code 0 and silence is no success."""
    run = run_with(tmp_path, "exit", "starting")
    assert set(outcome(run).values()) == {"failed"}
    assert set(run.cases["reason"]) == {"the worker ended with exit code 0: it said nothing"}


def test_a_worker_that_hangs_is_killed_with_its_children(tmp_path):
    """Silence ends at the time limit, its cases have a reason, and nothing is left running."""
    run = run_with(tmp_path, "hang", "starting", timeout_s=SHORT_S)
    assert set(outcome(run).values()) == {"timed-out"}
    assert set(run.cases["reason"]) == {"no sign of life for 5.1 s (--timeout)"}
    assert is_gone(int((tmp_path / "struck").read_text()))


@pytest.mark.extended
def test_a_child_of_a_dead_worker_neither_delays_nor_survives(tmp_path):
    """A worker's death is seen though a child holds its stdout open, and the child goes too."""
    run = run_with(tmp_path, "orphan", "starting")
    assert set(outcome(run).values()) == {"killed"}
    assert is_gone(int((tmp_path / "struck").read_text()))


def run_under(tmp_path, program, models, cases):
    """Measure with workers that are started by another program; returns the run."""
    writer = records.open_run(tmp_path / "run")
    writer.write_environment(run_environment(cases))
    one = scripted_run.runner(writer, ListDisplay(), None, cases)
    one.launcher, one.models = ProcessLauncher((*program, *launch.WORKER)), models
    one.sampling = Sampling(processes=1, min_processes=1, budget_s=0.05, memory_processes=1)
    try:
        one.measure()
    finally:
        writer.close()
    return records.read_run(writer.directory)


def huge(rows):
    """An ALBERT whose embeddings have so many rows of 16 float32."""
    return Model("albert", "albert", dataclasses.replace(TINY["albert"], vocab_size=rows))


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit to bound memory")
def test_memory_that_is_refused_is_a_row_and_the_rest_goes_on(tmp_path):
    """With an address space of 16 GiB, a model of 64 GiB is out of memory, the other one is ok."""
    run = run_under(
        tmp_path, ("prlimit", f"--as={16 * 2**30}"), (BERT, huge(2**30)), pair(seq_len=8)
    )
    assert sorted(run.cases["status"]) == ["ok", "out-of-memory"]
    (reason,) = run.cases.loc[run.cases["status"] == "out-of-memory", "reason"]
    assert "can't allocate memory" in reason


@pytest.mark.extended
@needs_root
def test_a_worker_killed_for_memory_is_a_row_and_the_rest_goes_on(tmp_path):
    """The kernel ends a worker that outgrows its control group: status, hint, and the next one."""
    with memory_group(f"bench-test-{os.getpid()}", 1200 * 2**20) as group:
        enter = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        run = run_under(tmp_path, ("sh", "-c", enter, "sh"), (BERT, huge(2**26)), pair(seq_len=8))
    assert outcome(run) == {
        "latency/bert/cpu/float32/sdpa/t1/b1/s8": "ok",
        "latency/albert/cpu/float32/sdpa/t1/b1/s8": "killed",
    }
    assert run.cases["reason"].str.contains("may have run out of memory").any()


@needs_root
def test_a_machine_that_hides_proc_is_measured_all_the_same(tmp_path):
    """Without /proc times are taken, and what could not be known is empty, not zero."""
    hide = 'mount -t tmpfs none /proc && exec "$@"'
    cases = [*pair(seq_len=8), case(measure=MEMORY, seq_len=8)]
    run = run_under(tmp_path, ("unshare", "-m", "sh", "-c", hide, "sh"), (BERT, ALBERT), cases)
    assert set(run.cases["status"]) == {"ok"}
    known = set(run.measurements["metric"])
    assert "peak_activation_bytes" in known  # counted at the allocator
    assert not known & {"peak_rss_bytes", "load_peak_rss_bytes", "steal_time", "load_average"}
    assert run.rounds["steal_s"].isna().all()
    assert run.rounds["involuntary_switches"].notna().all()


@pytest.mark.extended
def test_a_clock_that_is_set_back_changes_no_duration(tmp_path, monkeypatch):
    """With the time of day going backwards in the worker, every time is positive and in order."""
    (tmp_path / "sitecustomize.py").write_text(
        "import time\n"
        "real, calls = time.time_ns, []\n"
        "def back():\n"
        "    calls.append(0)\n"
        "    return real() - len(calls) * 10**6  # a millisecond more at every look\n"
        "time.time_ns = back\n"
        "time.time = lambda: back() / 1e9\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = run_under(tmp_path, (), (BERT, ALBERT), pair(seq_len=8))
    assert set(run.cases["status"]) == {"ok"}
    assert (run.samples["wall_s"] > 0).all()
    for _, rows in run.samples.groupby("case"):
        assert rows["at_s"].is_monotonic_increasing
    assert set(run.rounds["invalid"]) == {""}  # steps this small change nothing


def test_a_clock_that_leaps_back_is_seen(tmp_path, monkeypatch):
    """A round in which the clock was set is kept in the file and out of the numbers."""
    (tmp_path / "sitecustomize.py").write_text(
        "import time\n"
        "real, calls = time.time_ns, []\n"
        "def back():\n"
        "    calls.append(0)\n"
        "    return real() - (3600 * 10**9 if len(calls) > 3 else 0)\n"
        "time.time_ns = back\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = run_under(tmp_path, (), (BERT, ALBERT), pair(seq_len=8))
    assert (run.rounds["invalid"] == "clock set").sum() == 1
    disturbed = run.samples[run.samples["phase"] == "invalid"]
    assert set(disturbed["round"]) == set(run.rounds.loc[run.rounds["invalid"] != "", "round"])
    assert len(stats.summarise(run)) > 0
