import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from fakes import ALBERT, BERT, RANDOM, bench_environment, case, job, of, pair, values

from bench.core.architecture import Model, Weights
from bench.core.axes import Backend, Variant
from bench.core.case import Status
from bench.core.events import (
    Begin,
    Ended,
    Failed,
    Finished,
    Gemm,
    Measurements,
    Phase,
    Ready,
    Rounds,
    Samples,
    Software,
)
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.plan.jobs import Source
from bench.plan.orders import Probe, encode
from bench.runner import process as launch
from bench.runner import server as serving
from bench.runner.process import ProcessLauncher

pytestmark = pytest.mark.process

PATIENCE_S = 120.0
"""Far above what a tiny job takes: reached only when something hangs."""


def kinds(events):
    """The kinds of events in order, doubles left out."""
    return list(dict.fromkeys(type(e) for e in events))


def hook(tmp_path, monkeypatch, code):
    """Run `code` in every Python process from now on, as it starts (a `sitecustomize`)."""
    (tmp_path / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def waits_gone(pid):
    """Whether a process ends; the time limit is only reached when it does not."""
    try:
        psutil.Process(pid).wait(timeout=30)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_a_timed_job_from_end_to_end():
    """Ready, each model loading, then samples of both models of each workload, then the end."""
    work = job([*pair(seq_len=4), *pair(seq_len=8)])
    events = list(ProcessLauncher().run(work, PATIENCE_S))
    wanted = [Ready, Begin, Rounds, Gemm, Measurements, Samples, Finished, Ended]
    assert kinds(events) == wanted
    assert events[-1] == Ended()
    assert [e.cases for e in of(Begin, events)] == [
        tuple(c.id for c in work.cases if c.model == "bert"),
        tuple(c.id for c in work.cases if c.model == "albert"),
        *[tuple(c.id for c in group) for group in work.groups()],
    ]
    for one in work.cases:
        (rows,) = [e.rows for e in of(Samples, events) if e.case == one.id]
        assert {r.phase for r in rows} == {Phase.WARMUP, Phase.SWITCH, Phase.SAMPLE}
        assert all(r.wall_s > 0 for r in rows)
        assert [r.at_s for r in rows] == sorted(r.at_s for r in rows)
        assert 0 < rows[0].at_s < PATIENCE_S  # since the worker started, not the machine
    spent = events[-2].spent
    steps = {"start_s", "load_s", "counted_s", "timed_s", "forwards_s", "gemm_s"}
    assert set(spent) == steps
    assert spent["forwards_s"] + spent["gemm_s"] <= spent["timed_s"]


def test_a_memory_job_measures_what_the_formula_says(forks):
    """Weights, activations and peaks of one tiny model, read in a real process."""
    one = case("albert", measure=MEMORY, batch_size=8, seq_len=64)
    measured = values(forks.run(job([one]), PATIENCE_S))
    assert measured["weight_bytes"] > 0
    assert measured["peak_activation_bytes"] > 8 * 64 * 64 * 4
    assert measured["peak_rss_bytes"] > 0
    assert measured["load_time"] > 0


def test_a_static_job_counts_both_models(forks):
    """One process counts every model; FLOPs counted and by formula agree."""
    work = job(pair(measure=STATIC))
    events = list(forks.run(work, PATIENCE_S))
    assert {e.case for e in of(Measurements, events)} == {c.id for c in work.cases}
    for one in work.cases:
        counted = values(events, one.id)
        assert counted["flops"] == counted["flops_counted"]


def test_prints_at_start_up_do_not_break_the_stream(tmp_path, monkeypatch):
    """What is printed as Python starts, before the worker can send it away, is no event."""
    noise = (
        "import sys\n"
        "print('welcome'); print('[1, 2]'); print('{\"cut'); sys.stdout.flush()\n"
        "sys.stdout.buffer.write(b'\\xff\\n'); sys.stdout.flush()\n"
    )
    hook(tmp_path, monkeypatch, noise)
    assert kinds(launch.ask(Probe(), PATIENCE_S)) == [Software, Ended]


def test_prints_of_a_running_worker_go_to_stderr():
    """Once it has begun, neither print nor a C library's write reaches the stream of events."""
    code = (
        "import os, sys\n"
        "from bench.worker.__main__ import _take_stdout\n"
        "channel = _take_stdout()\n"
        "print('python'); os.write(1, b'raw\\n'); os.system('echo child')\n"
        "channel.write('event\\n'); channel.flush()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=bench_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "event\n"
    assert sorted(done.stderr.split()) == ["child", "python", "raw"]


def test_a_model_that_cannot_be_loaded_fails_alone(forks, tmp_path):
    """Its cases get the exception as their reason; the other model is measured."""
    sources = {"bert": RANDOM, "albert": Source(str(tmp_path / "nowhere"), Weights.PRETRAINED)}
    work = job(pair(), sources=sources)
    events = list(forks.run(work, PATIENCE_S))
    (failed,) = of(Failed, events)
    assert failed.case == work.cases[1].id
    assert failed.status is Status.FAILED
    assert failed.reason
    assert [e.case for e in of(Samples, events)] == [work.cases[0].id]
    assert events[-1] == Ended()


def test_a_worker_that_raises_tells_why(forks):
    """An exception outside any case ends the worker; its last words are the reason."""
    broken = job([case("unknown")], models=(BERT, ALBERT), sources={})
    events = list(forks.run(broken, PATIENCE_S))
    told = [e for e in events if isinstance(e, Failed | Ended) and e.status is Status.FAILED]
    assert told[0].reason
    assert "\n" not in told[0].reason


def test_an_unreadable_order_is_a_failure_with_last_words(monkeypatch):
    """The reason has the exit code and the end of what the worker said."""
    monkeypatch.setattr(launch, "encode", lambda _: "no job")
    events = list(launch.ask(Probe(), PATIENCE_S))
    assert kinds(events) == [Ended]
    assert events[0].status is Status.FAILED
    assert "exit code 1" in events[0].reason
    assert "KeyError" in events[0].reason


def test_a_worker_that_never_starts_is_a_failure(monkeypatch):
    """One that dies before it has read its order (a large one) is reported, not raised."""
    monkeypatch.setattr(launch, "encode", lambda _: "x" * 1_000_000)
    events = list(launch.ask(Probe(), PATIENCE_S, program=("/bin/false",)))
    assert [e.status for e in of(Ended, events)] == [Status.FAILED]
    assert len(events) == 1


def test_a_killed_worker_is_told_from_a_failed_one():
    """SIGKILL is how a system out of memory ends a process: the reason says so."""
    stream = ProcessLauncher().run(job(pair(), budget_s=1e6, precision=1e-12), PATIENCE_S)
    assert next(stream) == Ready()
    (worker,) = workers()
    os.kill(worker.pid, signal.SIGKILL)
    *_, last = stream
    assert (last.status, last.signal) == (Status.KILLED, "SIGKILL")
    assert "SIGKILL" in last.reason
    assert "memory" in last.reason


def test_exit_handlers_do_not_keep_a_worker_that_is_done(tmp_path, monkeypatch):
    """A library that hangs as the process ends costs neither the run nor the results."""
    hook(tmp_path, monkeypatch, "import atexit, time\natexit.register(time.sleep, 1000)\n")
    *_, last = launch.ask(Probe(), PATIENCE_S)
    assert last == Ended()
    *_, last = launch.ask(Probe((Variant(backend=Backend("none")),)), PATIENCE_S)
    assert "ModuleNotFoundError" in last.reason


def test_a_worker_that_has_said_all_is_not_waited_for(tmp_path):
    """One that closed its output after its last word and goes on is ended, and has ended well."""
    pid = tmp_path / "pid"
    code = (
        "import os, time\n"
        f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        'print(\'{"event": "finished", "spent": {}}\', flush=True)\n'
        "os.close(1)\n"
        "time.sleep(1000)\n"
    )
    stuck = ProcessLauncher((sys.executable, "-c", code))
    *_, last = stuck.run(job(pair()), PATIENCE_S)
    assert last == Ended()
    assert waits_gone(int(pid.read_text()))


def workers():
    """Fresh workers of this test process that are running now; servers are none."""
    found = psutil.Process().children()
    return [p for p in found if p.cmdline()[-1] == "bench.worker"]  # and not a server


def test_a_silent_worker_is_ended_with_its_children(tmp_path, monkeypatch):
    """After the time-out neither the worker nor what it started is left."""
    pids = tmp_path / "pids"
    hook(
        tmp_path,
        monkeypatch,
        "import os, subprocess, sys\n"
        "if 'bench.worker' in ' '.join(sys.orig_argv):\n"
        "    child = subprocess.Popen(['sleep', '1000'])\n"
        f"    open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "    import time; time.sleep(1000)\n",
    )
    events = list(ProcessLauncher().run(job(pair()), 3.0))
    assert [e.status for e in events] == [Status.TIMED_OUT]
    assert "3 s (--timeout)" in events[0].reason
    assert all(waits_gone(int(pid)) for pid in pids.read_text().split())


def test_an_abandoned_worker_is_ended():
    """When the parent stops listening (Ctrl-C), the worker is gone at once."""
    stream = ProcessLauncher().run(job(pair(), budget_s=1e6, precision=1e-12), PATIENCE_S)
    assert next(stream) == Ready()
    (worker,) = workers()
    stream.close()
    assert waits_gone(worker.pid)


def child_of_a_killed(code, *arguments):
    """The pid that a parent running `code` prints first; the parent is killed at once."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=bench_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    return pid


def test_a_worker_ends_with_its_parent():
    """A parent that is killed has no time to tidy up: the worker sees it and ends by itself."""
    order = encode(job(pair(), budget_s=1e6, precision=1e-12))
    code = (
        "import sys\nfrom bench.runner.process import ProcessLauncher\n"
        "from bench.plan.orders import decode\n"
        "import psutil\n"
        "for event in ProcessLauncher().run(decode(sys.argv[1]), 100):\n"
        "    print(psutil.Process().children()[0].pid, flush=True)\n"
    )
    assert waits_gone(child_of_a_killed(code, order))


STUCK = """
import ctypes
from bench.worker.parent import end_with_parent
end_with_parent()
print("stuck", flush=True)
ctypes.PyDLL(None).sleep(120)  # holds the interpreter's lock, as a library may
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux ends a child with its parent")
def test_a_worker_that_a_library_holds_ends_with_its_parent_too():
    """No thread of its own could: none of Python's runs."""
    starts = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {STUCK!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(120)\n"
    )
    assert waits_gone(child_of_a_killed(starts))


def test_threads_and_silence_of_the_hub_are_set_before_the_worker_starts(monkeypatch):
    """Thread counts are read once, when libraries are imported; our packages come first."""
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    found = launch.worker_environment(3)
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"]) == ("3", "3")
    assert found["HF_HUB_OFFLINE"] == "1"
    # Workers start in a directory of their own, so a relative path has to be made absolute here.
    assert found["PYTHONPATH"].split(os.pathsep)[1] == str(Path("elsewhere").absolute())


def test_a_probe_tells_the_software(forks, monkeypatch):
    """The parent learns versions and devices without importing torch."""
    exported = Variant(backend=Backend("onnxruntime"))
    monkeypatch.setattr(serving, "launcher", lambda: forks)
    found = serving.probe((Variant(), exported))
    assert json.dumps(found.facts)
    assert found.facts["torch"].startswith("2.")
    assert isinstance(found.facts["gpus"], list)
    if importlib.util.find_spec("onnxruntime") is None:
        assert found.packages == ()
    else:
        assert {one.variant for one in found.packages} == {exported}
        assert {"onnxruntime", "onnx", "onnxscript"} <= set(found.packages[0].versions)


def test_a_directory_of_the_hub_is_never_asked_for(forks):
    """A worker given neither a directory nor facts says so instead of downloading."""
    one = case("x", measure=STATIC)
    work = job([one], models=(Model("x", "owner/x"),), sources={"x": RANDOM})
    events = list(forks.run(work, PATIENCE_S))
    (failed,) = of(Failed, events)
    assert "no known architecture" in failed.reason
