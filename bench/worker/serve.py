"""The worker server: imports the libraries once, then forks a worker for each order (Linux).

It starts no thread and no device, since neither lives on in a fork, and loads no model: the worker
does, in memory of its own. Its parent is who started it, and it ends when that does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

import psutil

from bench.core.plain import from_plain, to_plain
from bench.plan.registry import MODEL_TYPES
from bench.plan.serving import LARGEST_MESSAGE, Begun, Exited, Fork, Refused, start_key
from bench.worker.parent import end_with_parent

STREAMS = (0, 1, 2)
"""A worker's stdin, stdout and stderr, which come with its order."""


def serve(listener: int, work: Callable[[], NoReturn]) -> NoReturn:
    """Serve the socket with this file descriptor until the parent closes stdin, or ends.

    `work` is what a worker does: it reads its job from stdin, and never returns.
    """
    key = start_key(os.environ)
    end_with_parent()
    _import_libraries()
    gc.collect()
    gc.freeze()  # or each fork's first collection would copy all that was imported
    with socket.socket(fileno=listener) as listening:
        _Server(listening, key, work).run()


def _import_libraries() -> None:
    """Import what every worker needs."""
    with _blas_without_threads():
        _import_if_there("numpy", "scipy.linalg")
    _import_if_there("torch", "torch.profiler", "torch.utils.flop_counter")
    with _blas_without_threads():
        _import_if_there("transformers", "transformers.models.auto.modeling_auto")
        _import_if_there(*(f"transformers.models.{kind}.modeling_{kind}" for kind in MODEL_TYPES))
    _import_if_there("bench.worker.measures.forward")


def _import_if_there(*names: str) -> None:
    """Import each; what cannot be imported is a worker's to report."""
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)


@contextmanager
def _blas_without_threads() -> Iterator[None]:
    """Have the copies of OpenBLAS in numpy and scipy start no threads as they are loaded."""
    name = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@dataclass
class _Server:
    """One thread that waits for orders, for workers' ends, and for commands that go away."""

    listener: socket.socket
    key: str
    work: Callable[[], NoReturn]
    workers: dict[int, socket.socket] = field(default_factory=dict)
    """By process, the connection on which it was ordered."""
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    wakes: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def run(self) -> NoReturn:
        """Serve."""
        for one in self.wakes:
            one.setblocking(False)
        signal.set_wakeup_fd(self.wakes[1].fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to be woken up
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command's to handle
        for source, act in (
            (self.listener, self._accept),
            (self.wakes[0], self._reap),
            (sys.stdin.fileno(), self._end),
        ):
            self.selector.register(source, selectors.EVENT_READ, act)
        while True:
            for ready, _ in self.selector.select():
                ready.data()

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        self.selector.register(connection, selectors.EVENT_READ, lambda: self._hear(connection))

    def _hear(self, connection: socket.socket) -> None:
        """An order, or the end of a connection."""
        try:
            message, streams, _, _ = socket.recv_fds(connection, LARGEST_MESSAGE, len(STREAMS))
        except ConnectionError:
            message, streams = b"", []
        if not message:
            self._leave(connection)
            return
        try:
            self._send(connection, self._begin(connection, message, streams))
        finally:
            for one in streams:
                os.close(one)

    def _begin(
        self, connection: socket.socket, message: bytes, streams: Sequence[int]
    ) -> Begun | Refused:
        order = from_plain(Fork, json.loads(message))
        if order.key != self.key:
            return Refused("this server was started with other variables")
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            return Refused(f"no process can be forked: {error}")
        if pid == 0:
            self._become_worker(parent, streams, order.environment)
        self.workers[pid] = connection
        return Begun(pid)

    def _become_worker(
        self, parent: int, streams: Sequence[int], environment: dict[str, str]
    ) -> NoReturn:
        """In the fork: leave all that is the server's behind, and never come back to its loop."""
        try:
            end_with_parent(parent)
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for target, stream in zip(STREAMS, streams, strict=True):
                os.dup2(stream, target)
                os.close(stream)
            for source in self.selector.get_map().values():
                if isinstance(source.fileobj, socket.socket):
                    source.fileobj.close()
            self.wakes[1].close()
            self.selector.close()
            os.environ.clear()
            os.environ.update(environment)
            self.work()
        except BaseException:  # noqa: BLE001 - its end is all that is left to report
            traceback.print_exc()
        os._exit(1)

    def _reap(self) -> None:
        """Report the workers that have ended."""
        with suppress(BlockingIOError):
            self.wakes[0].recv(LARGEST_MESSAGE)
        while self.workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            connection = self.workers.pop(pid)
            self._send(connection, Exited(os.waitstatus_to_exitcode(status)))

    def _leave(self, connection: socket.socket) -> None:
        """A command has gone; so does what it ordered, if that has not ended."""
        self.selector.unregister(connection)
        connection.close()
        for pid, ordered in self.workers.items():
            if ordered is connection:
                _kill_family(pid)

    def _send(self, connection: socket.socket, reply: Begun | Refused | Exited) -> None:
        with suppress(OSError):  # the command has gone, which is noticed next
            connection.send(json.dumps(to_plain(reply)).encode())

    def _end(self) -> NoReturn:
        for pid in self.workers:
            _kill_family(pid)
        os._exit(0)


def _kill_family(pid: int) -> None:
    """End a worker with all that it started."""
    family = []
    with suppress(psutil.Error, OSError):
        family = psutil.Process(pid).children(recursive=True)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
