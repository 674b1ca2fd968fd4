"""The parent's side of a worker server: start one, have it fork workers, and probe in one."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, TextIO

from bench.core.allocator import Allocator
from bench.core.axes import Variant
from bench.core.errors import BenchError
from bench.core.events import Ended, Event, Software
from bench.core.measure import Start
from bench.core.plain import from_plain, to_plain
from bench.plan.jobs import Job
from bench.plan.orders import Probe
from bench.plan.serving import (
    LARGEST_MESSAGE,
    ROOT,
    SHARED,
    Begun,
    Exited,
    Fork,
    start_key,
)
from bench.runner.process import WORKER, Child, listen, scratch, spawn, worker_environment


class ServerError(Exception):
    """A server that does not fork a worker, and why."""


@dataclass
class Forked:
    """A worker that a server has forked, as `subprocess.Popen` shows a process."""

    connection: socket.socket
    pid: int
    stdin: IO[str]
    stdout: IO[str]
    returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._exited(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; raises subprocess.TimeoutExpired."""
        code = self._exited(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a forked worker", timeout or 0.0)
        return code

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _exited(self, timeout: float | None) -> int | None:
        """The exit code as the server reports it; a server that dies takes its workers along."""
        if self.returncode is None and select.select([self.connection], [], [], timeout)[0]:
            message = _receive(self.connection)
            self.returncode = from_plain(Exited, message).code if message else -signal.SIGKILL
            self.connection.close()
        return self.returncode


def fork(path: str, environment: Mapping[str, str], errors: TextIO, timeout_s: float) -> Forked:
    """Have the server at this socket fork a worker. Raises ServerError where it does not."""
    order = Fork(start_key(environment), dict(environment))
    with ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        order_end, order_start = os.pipe()
        stdin = stack.enter_context(os.fdopen(order_start, "w", encoding="utf-8"))
        event_end, event_start = os.pipe()
        stdout = stack.enter_context(os.fdopen(event_end, encoding="utf-8", errors="replace"))
        try:
            connection.connect(path)
            words = json.dumps(to_plain(order)).encode()
            socket.send_fds(connection, [words], [order_end, event_start, errors.fileno()])
            answered = select.select([connection], [], [], timeout_s)[0]
            reply = _receive(connection) if answered else {"reason": "it does not answer"}
        except OSError as error:
            raise ServerError(str(error)) from error
        finally:
            os.close(order_end)
            os.close(event_start)
        if "pid" not in reply:
            raise ServerError(reply.get("reason", "it has ended"))
        stack.pop_all()
        return Forked(connection, from_plain(Begun, reply).pid, stdin, stdout)


def _receive(connection: socket.socket) -> dict[str, Any]:
    """The next message; an empty one where the server has ended."""
    with suppress(ConnectionError):
        message = connection.recv(LARGEST_MESSAGE)
        if message:
            found: dict[str, Any] = json.loads(message)
            return found
    return {}


@dataclass(frozen=True)
class Server:
    """A worker server; it ends with its parent, or when it is closed."""

    process: subprocess.Popen[bytes]
    path: str

    @classmethod
    def start(cls, path: str, environment: Mapping[str, str]) -> Server:
        """Start one that will listen at `path`; orders wait there until it has imported all."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            listener.listen()
            process = subprocess.Popen(
                [*WORKER, "--serve", str(listener.fileno())],
                stdin=subprocess.PIPE,  # closes with this process, however that ends
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what cannot be imported, a worker reports
                env=environment,
                cwd=ROOT,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        return cls(process, path)

    def close(self) -> None:
        """End it with its workers."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        Path(self.path).unlink(missing_ok=True)


@dataclass(frozen=True)
class ServerLauncher:
    """Forks workers from servers that have imported the libraries, where a fork will do.

    One server for each set of variables that are read at a process's start, begun when it is first
    wanted. Where there can be none, and for all other jobs, a fresh process is started.
    """

    shared: tuple[str, ...] = ()
    """Sockets of servers that somebody else has started: these fork for timing too."""
    _own: dict[str, Server] = field(default_factory=dict)

    def run(self, job: Job, timeout_s: float) -> Generator[Event, None, None]:
        """See Launcher; a server's start is a part of the silence that `timeout_s` bounds."""
        environment = worker_environment(job.threads, job.allocator)
        start = partial(self.start, job.measure.start, environment, timeout_s)
        yield from listen(job, timeout_s, start)

    def start(
        self, how: Start, environment: Mapping[str, str], timeout_s: float, errors: TextIO
    ) -> Child:
        """Start a worker, in the cheapest way that will do."""
        if how is not Start.FRESH:
            for path in self.shared:
                with suppress(ServerError):
                    return fork(path, environment, errors, timeout_s)
        if how is Start.FORKED and sys.platform == "linux":
            with suppress(ServerError, OSError):
                return fork(self._server(environment).path, environment, errors, timeout_s)
        return spawn(environment, WORKER, errors)

    def _server(self, environment: Mapping[str, str]) -> Server:
        key = start_key(environment)
        server = self._own.get(key)
        if server is None or server.process.poll() is not None:
            path = str(Path(scratch()) / f"server-{token_hex(4)}")
            server = self._own[key] = Server.start(path, environment)
        return server

    def close(self) -> None:
        """End the servers that were started here."""
        while self._own:
            self._own.popitem()[1].close()


@cache
def launcher() -> ServerLauncher:
    """The launcher of this command, with its servers; they end with it."""
    shared = tuple(filter(None, os.environ.get(SHARED, "").split(os.pathsep)))
    made = ServerLauncher(shared)
    atexit.register(made.close)
    return made


def probe(variants: Iterable[Variant] = (), threads: int = 1, timeout_s: float = 120.0) -> Software:
    """The software and devices as a worker sees them, without importing torch here."""
    environment, reason = worker_environment(threads, Allocator.EXACT), ""
    start = partial(launcher().start, Start.FORKED, environment, timeout_s)
    for event in listen(Probe(tuple(variants)), timeout_s, start):
        match event:
            case Software():
                return event
            case Ended():
                reason = event.reason
    raise BenchError(f"a worker cannot report its software: {reason}")
