"""Worker servers that many `bench` commands and launchers of a test session share.

Nearly all the time of a small job is importing torch. Commands find the servers through
`BENCH_WORKER_SERVER` in their environment. A job whose process has to start with other variables
than a server's (other threads, another `PYTHONPATH`) gets a fresh process, as does whatever has to
start as one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bench.runner.process import worker_environment
from bench.runner.server import Server

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(128 * 1024),
    "MALLOC_MMAP_MAX_": str(2**16),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 1024),
}
"""What is set for workers of every kind, so that one server does for all: glibc's own values."""


@contextmanager
def serving(directory: Path, *threads: int) -> Iterator[str]:
    """Servers for these numbers of threads; what `BENCH_WORKER_SERVER` has to be for a command."""
    if sys.platform != "linux":  # there commands start fresh processes
        yield ""
        return
    with ExitStack() as stack:
        paths = [str(directory / f"workers-{number}") for number in threads]
        for number, path in zip(threads, paths, strict=True):
            environment = {**worker_environment(number), **ALLOCATOR}
            stack.enter_context(closing(Server.start(path, environment)))
        yield os.pathsep.join(paths)
