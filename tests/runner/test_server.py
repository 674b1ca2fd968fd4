import os
import signal
import subprocess
import sys
from contextlib import closing

import psutil
import pytest
from fakes import bench_environment, case, job, of, pair, values

from bench.core.allocator import Allocator
from bench.core.case import Status
from bench.core.events import Begin, Ended, Finished, Measurements, Ready
from bench.core.measures import all_measures
from bench.core.measures.capacity import CAPACITY
from bench.core.measures.cold_start import COLD_START
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.plan.orders import encode
from bench.plan.serving import SHARED, start_key
from bench.runner import process
from bench.runner import server as serving
from bench.runner.process import worker_environment
from bench.runner.server import Server, ServerError, ServerLauncher, fork

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="servers fork on Linux alone"),
]

PATIENCE_S = 120.0
ENDLESS = {"budget_s": 1e6, "precision": 1e-12}


def running(launched):
    """A worker that has begun to measure: its stream of events, and its process."""
    before = set(psutil.Process().children(recursive=True))
    stream = launched.run(job(pair(), **ENDLESS), PATIENCE_S)
    assert next(stream) == Ready()
    (worker,) = set(psutil.Process().children(recursive=True)) - before
    return stream, worker


def kinds_of(events):
    """The kinds of events, in order."""
    return [type(event) for event in events]


def is_gone(process):
    """Whether a process ends; the time limit is only reached when it does not."""
    return not psutil.wait_procs([process], timeout=30)[1]


def test_a_server_forks_without_a_thread_of_its_own(forks):
    """A thread would not live on in a fork; the worker leads a group of its own."""
    stream, worker = running(forks)
    server = worker.parent()
    assert server.num_threads() == 1
    assert "--serve" in server.cmdline()
    assert os.getpgid(worker.pid) == os.getsid(worker.pid) == worker.pid
    stream.close()
    assert is_gone(worker)
    assert server.is_running()


def test_a_forked_worker_counts_what_a_fresh_one_does(forks):
    """Every case, in one process; FLOPs counted and by formula agree."""
    work = job(pair(measure=STATIC))
    events = list(forks.run(work, PATIENCE_S))
    assert {e.case for e in of(Measurements, events)} == {c.id for c in work.cases}
    for one in work.cases:
        counted = values(events, one.id)
        assert counted["flops"] == counted["flops_counted"]
    assert events[-1] == Ended()


LIGHT = """
import os, sys
from bench.worker import serve
serve._import_libraries = lambda: None
def work():
    os.write(1, (os.environ["TMPDIR"] + os.linesep).encode())
    os.read(0, 100)
    os._exit(7)
serve.serve(int(sys.argv[2]), work)
"""


@pytest.fixture
def light(tmp_path, monkeypatch):
    """A server without libraries, whose workers say where their temporary files go, and wait."""
    monkeypatch.setattr(serving, "WORKER", (sys.executable, "-c", LIGHT))
    with closing(Server.start(str(tmp_path / "light"), worker_environment(1))) as server:
        yield server.path


def test_a_fork_needs_the_memory_of_a_fresh_process(forks):
    """What it holds of its server, and library pages that it touches first, do not count."""
    one = case("albert", measure=MEMORY, batch_size=64, seq_len=64)
    work = job([one], allocator=Allocator.EXACT)
    forked = values(forks.run(work, PATIENCE_S))
    fresh = values(process.ProcessLauncher().run(work, PATIENCE_S))
    assert forked["peak_activation_bytes"] == fresh["peak_activation_bytes"]
    assert forked["peak_rss_bytes"] == pytest.approx(fresh["peak_rss_bytes"], abs=2**20)


def test_a_forked_worker_has_the_environment_of_its_command(light, tmp_path):
    """What is read at use is the command's, not the server's; the exit code comes back."""
    environment = {**worker_environment(1), "TMPDIR": str(tmp_path)}
    with (tmp_path / "errors").open("w+") as errors:
        worker = fork(light, environment, errors, PATIENCE_S)
        assert worker.stdout.readline() == f"{tmp_path}\n"
        assert worker.poll() is None
        worker.stdin.close()
        assert worker.wait(PATIENCE_S) == 7
        worker.stdout.close()


def test_a_worker_ends_with_a_command_that_goes_away(light, tmp_path):
    """Also where it holds on to its pipes: the server sees that nobody waits for it."""
    with (tmp_path / "errors").open("w+") as errors:
        worker = fork(light, worker_environment(1), errors, PATIENCE_S)
        forked = psutil.Process(worker.pid)
        worker.connection.close()
        assert is_gone(forked)
        worker.stdin.close()
        worker.stdout.close()


def test_a_killed_fork_is_told_from_a_failed_one(forks):
    """The server reports the signal, as a process of our own would."""
    stream, worker = running(forks)
    os.kill(worker.pid, signal.SIGKILL)
    *_, last = stream
    assert (last.status, last.signal) == (Status.KILLED, "SIGKILL")


def test_a_silent_fork_is_ended(forks):
    """After the time-out it is gone, and the server serves on."""
    running(forks)[0].close()  # now the server has imported all
    events = list(forks.run(job(pair(), **ENDLESS), 3.0))
    assert of(Begin, events)
    assert events[-1].status is Status.TIMED_OUT
    assert kinds_of(forks.run(job(pair(measure=STATIC)), PATIENCE_S))[-2:] == [Finished, Ended]


def test_a_fork_that_raises_has_last_words(forks, monkeypatch):
    """Its stderr is the command's, as that of a fresh process."""
    monkeypatch.setattr(process, "encode", lambda _: "no job")
    *_, last = forks.run(job(pair()), PATIENCE_S)
    assert last.status is Status.FAILED
    assert "exit code 1" in last.reason
    assert "KeyError" in last.reason


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MALLOC_MMAP_THRESHOLD_", "PYTHONPATH"])
def test_a_server_refuses_a_worker_that_had_to_start_otherwise(worker_server, tmp_path, name):
    """What glibc, OpenMP and Python read as they start cannot be changed in a fork."""
    other = {**worker_environment(1), name: "77"}
    assert start_key(other) != start_key(worker_environment(1))
    with (tmp_path / "errors").open("w+") as errors, pytest.raises(ServerError, match="variables"):
        fork(worker_server, other, errors, PATIENCE_S)


class SpawnedError(Exception):
    """A fresh process was asked for."""


def spawned(*_):
    """In place of starting one."""
    raise SpawnedError


@pytest.mark.parametrize("measure", [COLD_START, CAPACITY])
def test_what_measures_a_process_from_its_start_is_never_forked(forks, monkeypatch, measure):
    """A fork has nothing to import, and its memory holds the server's."""
    monkeypatch.setattr(serving, "spawn", spawned)
    with pytest.raises(SpawnedError):
        list(forks.run(job([case(measure=measure)]), PATIENCE_S))


def test_timing_spawns_where_nobody_shares_a_server(monkeypatch):
    """A fork does not redraw the address layout, on which times depend."""
    monkeypatch.setattr(serving, "spawn", spawned)
    for measure in all_measures():
        if measure.timed:
            with pytest.raises(SpawnedError):
                list(ServerLauncher().run(job([case(suite="s", measure=measure)]), PATIENCE_S))


def test_where_there_is_no_server_a_fresh_process_does_it(monkeypatch, tmp_path):
    """A socket that nobody serves, and a server that cannot be started, fail no run."""
    monkeypatch.setattr(serving, "spawn", spawned)
    monkeypatch.setattr(Server, "start", lambda *_: (_ for _ in ()).throw(OSError("no process")))
    nobody = ServerLauncher((str(tmp_path / "nobody"),))
    with pytest.raises(SpawnedError):
        list(nobody.run(job(pair(measure=STATIC)), PATIENCE_S))


def test_commands_find_servers_that_run_in_their_environment(monkeypatch):
    """Several are tried in turn, since each serves one set of variables."""
    monkeypatch.setenv(SHARED, os.pathsep.join(["/one", "/two"]))
    serving.launcher.cache_clear()
    assert serving.launcher().shared == ("/one", "/two")
    monkeypatch.delenv(SHARED)
    serving.launcher.cache_clear()
    assert serving.launcher().shared == ()


OWNER = """
import sys
import psutil
from bench.plan.orders import decode
from bench.runner.server import ServerLauncher
job = decode(sys.argv[1])
for event in ServerLauncher().run(job, 300):
    print(*(p.pid for p in psutil.Process().children(recursive=True)), flush=True)
"""


def test_server_and_worker_end_with_a_command_that_is_killed():
    """No thread and no signal handler of the command could: it has no time for a word."""
    work = encode(job(pair(measure=STATIC)))
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, work],
        env=bench_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        owner.kill()
    assert pids
    for pid in pids:
        assert not psutil.pid_exists(pid) or is_gone(psutil.Process(pid))


def test_workers_end_with_their_server(tmp_path):
    """A server that the system ends takes its workers along, and the run goes on without it."""
    server = Server.start(str(tmp_path / "workers"), worker_environment(1))
    try:
        stream, worker = running(ServerLauncher((server.path,)))
        server.process.kill()
        *_, last = stream
    finally:
        server.close()
    assert last.status is Status.KILLED
    assert is_gone(worker)
