"""Fixtures that several test files share: a loopback hub, checkpoints, and `bench` as a process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from checkpoints import make_full_size, make_tiny
from fakes import (
    ALBERT,
    BERT,
    RANDOM,
    FakeClock,
    ListDisplay,
    ScriptedLauncher,
    run_environment,
    tiny_directory,
    worker_events,
)
from hub import Hub, serving
from hypothesis import settings
from worker_server import ALLOCATOR
from worker_server import serving as serving_workers

from bench.core.suite import Sampling
from bench.plan.serving import AT_START, SHARED
from bench.results import store as records
from bench.runner.runner import Runner
from bench.runner.server import ServerLauncher

PROCESSES = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn")
"""Events of Python's audit with which a process starts."""
marked = [True]
"""Whether what runs now may start a process: outside of tests anything may."""


def refuse_processes(event: str, arguments: tuple[object, ...]) -> None:
    """Let a test that is not marked `process` start nothing but git (a hook of Python's audit)."""
    if event in PROCESSES and not marked[0]:
        program = Path(str(arguments[0])).name if arguments else event
        if program != "git":
            pytest.fail(f"starts {program}: mark the test as `process`")


sys.addaudithook(refuse_processes)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Note whether the test may start processes, fixtures included."""
    marked[0] = any(item.get_closest_marker(name) for name in ("process", "extended"))
    try:
        return (yield)
    finally:
        marked[0] = True


settings.register_profile("untimed", deadline=None)  # a loaded machine is no failure
settings.load_profile("untimed")

Bench = Callable[..., "subprocess.CompletedProcess[str]"]

INHERITED = ("PATH", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV", SHARED)
"""What a child keeps of the environment: nothing that could name another hub, cache or proxy.

What is read as a process starts it keeps too, or no worker server would fork for it.
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """An empty loopback hub."""
    with serving() as made:
        yield made


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> dict[str, Path]:
    """A tiny checkpoint of each architecture, with its tokenizer."""
    root = tmp_path_factory.mktemp("tiny")
    return {kind: make_tiny(root / kind, kind) for kind in ("bert", "albert")}


@pytest.fixture(scope="session")
def full_size(tmp_path_factory) -> Iterator[dict[str, Path]]:
    """A checkpoint of each real model's size and key layout (488 MB together), made once."""
    root = tmp_path_factory.mktemp("full-size")
    yield {kind: make_full_size(root / kind, kind) for kind in ("bert", "albert")}
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def large(tmp_path_factory) -> Iterator[Path]:
    """A checkpoint of 47 MB: large enough to be told of, and to be interrupted."""
    root = tmp_path_factory.mktemp("large")
    yield make_full_size(root / "albert", "albert")
    shutil.rmtree(root)


@pytest.fixture
def home(tmp_path) -> Iterator[Path]:
    """A hub cache of the test's own, removed with what was downloaded into it."""
    yield tmp_path / "hf-home"
    shutil.rmtree(tmp_path / "hf-home", ignore_errors=True)


@pytest.fixture
def environment(hub, home) -> dict[str, str]:
    """The environment of a child that knows only the loopback hub and the test's own cache."""
    kept = {k: v for k, v in os.environ.items() if k in INHERITED or k.startswith(AT_START)}
    kept.pop("HF_HUB_OFFLINE", None)
    root = str(Path(__file__).parent.parent)
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(p for p in (root, kept.get("PYTHONPATH")) if p),
        "HOME": str(home.parent),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
    }


@pytest.fixture
def bench(environment, tmp_path) -> Bench:
    """Run `bench` with these arguments (and environment) in a process of its own."""

    def run(*args: str, under: tuple[str, ...] = (), **extra: str):
        return subprocess.run(
            [*under, sys.executable, "-m", "bench", *args],
            env={**environment, **extra},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.fixture
def one_allocator(monkeypatch) -> None:
    """The allocator as the session's server has it, for workers of every kind."""
    for name, value in ALLOCATOR.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def share_workers(worker_server, one_allocator, monkeypatch) -> None:  # noqa: ARG001
    """Let the commands of a test have their workers forked by the session's server."""
    monkeypatch.setenv(SHARED, worker_server)


@pytest.fixture(scope="session")
def worker_server(tmp_path_factory) -> Iterator[str]:
    """The socket of a worker server for one thread, for `BENCH_WORKER_SERVER`."""
    with serving_workers(tmp_path_factory.mktemp("workers"), 1) as path:
        yield path


@pytest.fixture
def forks(worker_server, one_allocator) -> Iterator[ServerLauncher]:  # noqa: ARG001 - see there
    """A launcher whose workers are forks, but for those that must start as a process."""
    with closing(ServerLauncher((worker_server,) if worker_server else ())) as launcher:
        yield launcher


@pytest.fixture
def clock():
    """A clock that is turned by hand."""
    return FakeClock()


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """Directories of a tiny BERT and a tiny ALBERT, each with config and safetensors."""
    root = tmp_path_factory.mktemp("models")
    return {kind: tiny_directory(root, kind, weights=True) for kind in ("bert", "albert")}


@pytest.fixture
def make(tmp_path):
    """A function that makes a runner in a fresh directory."""
    made = []

    def runner(cases, script=worker_events, *, sampling=None, **facts):
        writer = records.open_run(tmp_path / f"run{len(made)}")
        writer.write_environment(run_environment(cases))
        made.append(writer)
        defaults = {
            "sampling": sampling or Sampling(processes=2, min_processes=2, precision=1e-6),
            "timeout_s": 60.0,
            "seed": 0,
            "models": (BERT, ALBERT),
            "sources": {"bert": RANDOM, "albert": RANDOM},
            "checkpoints": {"bert": None, "albert": None},
        }
        launcher = ScriptedLauncher(script)
        display = ListDisplay()
        return Runner(writer, launcher, display, cases=cases, **{**defaults, **facts})

    yield runner
    for writer in made:
        writer.close()
