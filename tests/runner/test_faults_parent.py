"""What happens to the parent: killed, interrupted once and twice, left by its terminal."""

import os
import pty
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import scripted_run
from fakes import ListDisplay, bench, bench_environment, default_signals, run_environment
from kill_resume import cycles

from bench.results import store as records

pytestmark = pytest.mark.process

HERE = Path(__file__).parents[1] / "support"
SAMPLES_COME = 9
"""The measurement of a slow run with which its first samples come."""
posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and pseudo-terminals")


def start(directory, *arguments, **streams):
    """Start a slow run."""
    streams.setdefault("preexec_fn", default_signals if os.name == "posix" else None)
    return subprocess.Popen(
        [sys.executable, str(HERE / "slow_run.py"), str(directory), *map(str, arguments)],
        env={**bench_environment(), "PYTHONPATH": f"{HERE}:{bench_environment()['PYTHONPATH']}"},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **streams},
    )


def wait_for(condition):
    """Until something is to be seen; a test that waits in vain is ended here, by name."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.01)


def sampled(directory):
    """Tells whether samples have arrived (the file's first line is there from the start)."""
    file = directory / "samples.csv"
    return lambda: file.exists() and file.read_bytes().count(b"\n") > 1


def groups_are_whole(run):
    """Whether each process holds all or none of the cases that are compared with each other."""
    counts = run.samples.groupby("case")["process"].nunique()
    pairs = [[c.id for c in scripted_run.CASES if c.group == g] for g in groups(run)]
    return all(len({counts.get(case, 0) for case in pair}) == 1 for pair in pairs)


def groups(run):
    """Groups of which there are samples."""
    return {c.group for c in scripted_run.CASES if c.id in set(run.samples["case"])}


def finishes(directory):
    """Resume a run; it has to come to its end, complete and true."""
    done = start(directory)
    out, err = done.communicate(timeout=120)
    assert done.returncode == 0, err
    run = records.read_run(directory)
    assert scripted_run.incomplete(run) == []
    assert scripted_run.wrong(run) == []
    assert run.environment["run"]["state"] == "complete"
    return out


@posix
def test_a_parent_killed_at_twenty_moments_loses_nothing(tmp_path):
    """After each SIGKILL what was reported is there, once and true; resume does the rest."""
    tally = cycles(20, time.monotonic() + 100, tmp_path, random.Random(7))
    assert (tally.lost, tally.wrong) == ([], [])
    assert tally.cycles == 20


def test_resume_measures_only_what_is_missing(tmp_path):
    """The jobs after an interruption are those that had not delivered, and no other."""

    class Interrupted(ListDisplay):
        def begin(self, cases, process):
            super().begin(cases, process)
            if process == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scripted_run.go(tmp_path / "run", Interrupted())
    jobs = []

    def script(job):
        jobs.append((job.measure.name, job.process))
        return scripted_run.events(job)

    scripted_run.go(tmp_path / "run", script=script)
    assert jobs == [("forward", 3), ("forward", 4)]
    assert scripted_run.incomplete(records.read_run(tmp_path / "run")) == []


@pytest.mark.parametrize(("table", "missing"), [("samples", [("forward", 4, 2)]), ("cases", [])])
def test_a_finished_run_that_lost_its_last_bytes_is_completed(tmp_path, table, missing):
    """Resume measures the process whose samples were cut again, with its partner, and no other."""
    scripted_run.go(tmp_path / "run")
    path = tmp_path / "run" / f"{table}.csv"
    path.write_bytes(path.read_bytes()[:-3])
    assert f"{table}.csv: its last line was cut" in records.read_run(tmp_path / "run").damage[0]
    jobs = []

    def script(job):
        jobs.append((job.measure.name, job.process, len(job.cases)))
        return scripted_run.events(job)

    scripted_run.go(tmp_path / "run", script=script)
    run = records.read_run(tmp_path / "run")
    assert jobs == missing
    assert run.damage == ()
    assert scripted_run.wrong(run) == scripted_run.incomplete(run) == []


@posix
def test_ctrl_c_once_finishes_what_is_being_measured(tmp_path):
    """The run stops between two measurements, says how to go on, and can."""
    run = start(tmp_path / "run", SAMPLES_COME, "dawdles")
    wait_for(sampled(tmp_path / "run"))
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert err.strip() == "finishing the current measurement, then stopping; once more stops now"
    assert "interrupted; what was measured is kept. Go on with: bench run --resume" in out
    found = records.read_run(tmp_path / "run")
    assert groups_are_whole(found)
    assert found.environment["run"]["state"] == "interrupted"
    finishes(tmp_path / "run")


@posix
def test_ctrl_c_twice_stops_at_once(tmp_path):
    """A measurement that does not end is given up at the second request; the rest is kept."""
    run = start(tmp_path / "run", 14)
    for line in run.stdout:
        if line.startswith("hangs"):
            break
    run.send_signal(signal.SIGINT)
    assert run.stderr.readline() == "\n"  # heard: two signals at once would count as one
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Traceback" not in err
    assert "Go on with: bench run --resume" in out
    assert not records.read_run(tmp_path / "run").samples.empty
    finishes(tmp_path / "run")


@posix
def test_a_system_that_starts_no_more_processes_ends_the_run_in_one_line(tmp_path):
    """What was measured is kept, the line says how to go on, and that works."""
    run = start(tmp_path / "run", 14, "refused")
    _, err = run.communicate(timeout=60)
    assert run.returncode == 4
    assert err == (
        "bench: cannot go on: [Errno 11] Resource temporarily unavailable. What was finished "
        "before is kept; once that is fixed, continue with: bench run --resume "
        f"{tmp_path / 'run'}\n"
    )
    assert not records.read_run(tmp_path / "run").samples.empty
    finishes(tmp_path / "run")


@posix
def test_a_command_that_is_ended_before_it_measures_leaves_nothing_behind(tmp_path):
    """Its workers' place for exported and compiled models goes with it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "latency", "--output", str(tmp_path / "run")],
        env={**bench_environment(), "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,  # noqa: PLW1509 - of this process no thread runs then
    ) as command:
        for _ in range(600):
            if any(scratch.iterdir()):
                break
            time.sleep(0.05)
        command.terminate()
        _, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert err.endswith("bench: interrupted\n")
    assert list(scratch.iterdir()) == []


@posix
def test_a_closed_terminal_ends_the_run_cleanly(tmp_path):
    """SIGHUP, and a terminal that takes no more words, do not keep results from being written."""
    import fcntl
    import termios

    def own_terminal():
        default_signals()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    master, slave = pty.openpty()
    run = start(
        tmp_path / "run",
        SAMPLES_COME,
        "dawdles",
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=own_terminal,
    )
    os.close(slave)
    os.set_blocking(master, False)

    def read_and_sampled():
        with suppress(BlockingIOError):
            os.read(master, 65536)  # a terminal that nobody reads is full at once
        return sampled(tmp_path / "run")()

    wait_for(read_and_sampled)
    os.close(master)
    assert run.wait(timeout=60) == 130
    found = records.read_run(tmp_path / "run")
    assert found.environment["run"]["state"] == "interrupted"
    assert groups_are_whole(found)
    assert (tmp_path / "run" / "summary.csv").exists()
    finishes(tmp_path / "run")


@posix
def test_nohup_keeps_a_run_alive(tmp_path):
    """Where hang-ups are ignored, they stay so."""
    run = start(tmp_path / "run", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_for(sampled(tmp_path / "run"))
    run.send_signal(signal.SIGHUP)
    run.communicate(timeout=120)
    assert run.returncode == 0
    assert scripted_run.incomplete(records.read_run(tmp_path / "run")) == []


@posix
def test_a_reader_that_goes_away_costs_its_words_only(tmp_path):
    """`bench run | head -1`: the run goes on to its end, and nothing else is said."""
    run = start(tmp_path / "run")
    run.stdout.readline()
    run.stdout.close()
    with run.stderr:
        assert run.stderr.read() == ""
    assert run.wait(timeout=60) == 0
    assert scripted_run.incomplete(records.read_run(tmp_path / "run")) == []


def test_two_runs_never_share_a_directory(tmp_path):
    """The second one is refused with one line while the first goes on, with --resume as well."""
    writer = records.open_run(tmp_path / "run")
    writer.write_environment(run_environment(scripted_run.CASES))
    for arguments in (["parameters", "--output"], ["--resume"]):
        done = bench("run", *arguments, tmp_path / "run", cwd=tmp_path)
        assert done.returncode == 2
        assert "is in use by another bench process" in done.stderr
        assert done.stderr.count("\n") == 1
    writer.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace('"format": 1', '"format": 0'), "has format 0"),
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda _: "", "cannot be read"),
        (
            lambda text: text.replace('"id": "a-run"', '"id": "../../elsewhere"'),
            "'../../elsewhere'",
        ),
    ],
    ids=["older", "cut", "empty", "outside"],
)
def test_a_directory_of_another_format_is_refused_in_one_line(tmp_path, change, words):
    """Neither resume nor report guesses at what an older version or a foreign hand has written."""
    scripted_run.go(tmp_path / "run")
    path = tmp_path / "run" / "environment.json"
    path.write_text(change(path.read_text()))
    for verb in (["run", "--resume"], ["report"]):
        done = bench(*verb, tmp_path / "run", cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
