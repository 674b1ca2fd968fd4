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
from worker_server import serving as serving_workers

from bench.core.suite import Sampling
from bench.results import store as records
from bench.runner.runner import Runner
from bench.runner.server import ServerLauncher

settings.register_profile("untimed", deadline=None)  # a loaded machine is no failure
settings.load_profile("untimed")

Bench = Callable[..., "subprocess.CompletedProcess[str]"]

INHERITED = ("PATH", "LANG", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
"""What a child keeps of the environment: nothing that could name another hub, cache or proxy."""


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


@pytest.fixture
def home(tmp_path) -> Iterator[Path]:
    """A hub cache of the test's own, removed with what was downloaded into it."""
    yield tmp_path / "hf-home"
    shutil.rmtree(tmp_path / "hf-home", ignore_errors=True)


@pytest.fixture
def environment(hub, home) -> dict[str, str]:
    """The environment of a child that knows only the loopback hub and the test's own cache."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
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


@pytest.fixture(scope="session")
def worker_server(tmp_path_factory) -> Iterator[str]:
    """The socket of a worker server for one thread, for `BENCH_WORKER_SERVER`."""
    with serving_workers(tmp_path_factory.mktemp("workers"), 1) as path:
        yield path


@pytest.fixture
def forks(worker_server) -> Iterator[ServerLauncher]:
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
