"""The parent's side of a worker: start it, listen, time out, and say how it ended."""

from __future__ import annotations

import atexit
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO, Protocol, TextIO

import psutil

from bench.core.allocator import Allocator
from bench.core.case import Status
from bench.core.events import Ended, Event, Finished, Software, decode
from bench.plan.jobs import Job, start_stamp
from bench.plan.orders import Order, encode
from bench.plan.serving import ROOT

STDERR_LINES = 3
"""How much of a dead worker's last words goes into the reason."""
GRACE_S = 1.0
"""What a dead worker said is read within this time, also where a child holds its stdout open.

One that has said all and closed its output gets as long to end.
"""
WORKER = (sys.executable, "-m", "bench.worker")


class Child(Protocol):
    """A worker's process, as `subprocess.Popen` shows one."""

    @property
    def pid(self) -> int:
        """The process; it leads a process group of its own."""

    @property
    def stdin(self) -> IO[str] | None:
        """Where its order goes."""

    @property
    def stdout(self) -> IO[str] | None:
        """Where its events come from."""

    def poll(self) -> int | None:
        """Its exit code, a signal's as a negative number; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; raises subprocess.TimeoutExpired."""

    def kill(self) -> None:
        """End it."""


Start = Callable[[TextIO], Child]
"""Starts a worker whose stderr goes to the given file."""


class Launcher(Protocol):
    """The seam for processes: tests put a scripted worker here."""

    def run(self, job: Job, timeout_s: float) -> Generator[Event, None, None]:
        """Do a job; yield its events, and last an Ended."""


@dataclass(frozen=True)
class ProcessLauncher:
    """Runs each job in a fresh Python process with the thread count set before it starts.

    `program` is what is started; tests put a worker here that something happens to.
    """

    program: tuple[str, ...] = WORKER

    def run(self, job: Job, timeout_s: float) -> Generator[Event, None, None]:
        start = partial(spawn, worker_environment(job.threads, job.allocator), self.program)
        yield from listen(job, timeout_s, start)


def ask(
    order: Order, timeout_s: float, threads: int = 1, program: tuple[str, ...] = WORKER
) -> Generator[Event, None, None]:
    """What a fresh process reports of an order: see `listen`."""
    start = partial(spawn, worker_environment(threads), program)
    yield from listen(order, timeout_s, start)


def spawn(
    environment: Mapping[str, str], program: tuple[str, ...], errors: TextIO
) -> subprocess.Popen[str]:
    """Start a fresh process."""
    return subprocess.Popen(
        program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
        cwd=ROOT,  # Python imports from here first: never from a model's or a run's directory
        start_new_session=True,  # Ctrl-C in the terminal is the parent's to handle
    )


def listen(order: Order, timeout_s: float, start: Start) -> Generator[Event, None, None]:
    """What a worker reports of an order, and last an Ended.

    `timeout_s` bounds the silence between two events.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = start(errors)
        try:
            yield from _events(process, encode(order), timeout_s, errors)
        finally:
            kill(process)


def _events(
    process: Child, order: str, timeout_s: float, errors: TextIO
) -> Generator[Event, None, None]:
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=read_lines, args=(process, lines), daemon=True).start()
    # A long order does not fit into the pipe, and a worker that hangs never reads it.
    threading.Thread(target=_send, args=(process, order), daemon=True).start()
    finished = False
    while True:
        try:
            line = _next_line(process, lines, timeout_s)
        except queue.Empty:
            reason = f"no sign of life for {timeout_s:g} s (--timeout)"
            yield Ended(Status.TIMED_OUT, reason)
            return
        if line is None:
            break
        event = decode(line)
        if event is None:
            continue
        finished = finished or isinstance(event, (Finished, Software))
        yield event
    try:
        code = process.wait(GRACE_S if finished else timeout_s)
    except subprocess.TimeoutExpired:
        if finished:  # all is said: whatever keeps it is ended with it
            yield Ended()
            return
        reason = f"it closed its output and did not end for {timeout_s:g} s (--timeout)"
        yield Ended(Status.TIMED_OUT, reason)
        return
    yield ending(code, finished, errors)


def _send(process: Child, order: str) -> None:
    if process.stdin is not None:
        with suppress(
            BrokenPipeError, ValueError
        ):  # it died at once, or was given up: its end shows it
            process.stdin.write(order + "\n")
            process.stdin.flush()


def _next_line(process: Child, lines: queue.Queue[str | None], timeout_s: float) -> str | None:
    """The next line, None at the end; raises queue.Empty after `timeout_s` of silence.

    A worker that is dead has ended, though a child of its own may hold its stdout open.
    """
    began = time.monotonic()
    while True:
        dead = process.poll() is not None
        left = began + timeout_s - time.monotonic()
        try:
            return lines.get(timeout=max(0.0, min(GRACE_S, left)))
        except queue.Empty:
            if dead:
                return None
            if left <= GRACE_S:
                raise


def read_lines(process: Child, lines: queue.Queue[str | None]) -> None:
    """Pass on whole lines; one cut off by the worker's death is no event."""
    with suppress(ValueError):  # the parent has stopped listening and closed the pipe
        for line in process.stdout or ():
            if line.endswith("\n"):
                lines.put(line)
    lines.put(None)


def ending(code: int, finished: bool, errors: TextIO) -> Ended:
    """How a process ended, from its exit code and what it wrote to stderr."""
    if finished:
        return Ended()
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        name = names.get(-code, f"signal {-code}")
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        reason = f"the worker was ended by {name}{hint}"
        return Ended(Status.KILLED, reason, name)
    errors.seek(0)
    words = [line.strip() for line in errors.read().splitlines() if line.strip()]
    last = " | ".join(words[-STDERR_LINES:])
    reason = f"the worker ended with exit code {code}: {last or 'it said nothing'}"
    return Ended(Status.FAILED, reason)


def kill(process: Child) -> None:
    """End a worker with all that it started, also where it has ended and they have not."""
    family = []
    if process.poll() is None:
        with suppress(psutil.Error, OSError):  # it has just ended, or /proc cannot be read
            family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    if os.name == "posix":
        with suppress(ProcessLookupError):  # the worker leads a process group of its own
            os.killpg(process.pid, signal.SIGKILL)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # an order that nobody has read
                pipe.close()


def worker_environment(threads: int, allocator: Allocator = Allocator.SYSTEM) -> dict[str, str]:
    """The worker's environment: our packages importable, threads set, no talk with the hub.

    Where the user has set the allocator, that stands.
    """
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    paths = [str(ROOT), *(str(Path(path).absolute()) for path in given)]
    return {
        **allocator.variables,
        **os.environ,
        **start_stamp(),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(Path(scratch()) / "compiled"),
        "TMPDIR": scratch(),
    }


@cache
def scratch() -> str:
    """Where this command's workers keep what they export and compile, until it ends.

    What an earlier run compiled would hide the time; what a worker that is ended has exported
    would stay for ever.
    """
    place = tempfile.mkdtemp(prefix="bench-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place
