"""What a command and a worker server say to each other: one message each way, then how it ended.

A command connects to the server's socket once for each worker, and sends a Fork with the worker's
stdin, stdout and stderr. The server forks and answers with Begun, or Refused; when the worker has
ended, with Exited. A command that closes the connection before ends the worker.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Where the packages of this tool lie; workers start in here."""
SHARED = "BENCH_WORKER_SERVER"
"""The environment variable with the sockets of servers that run already, for tests."""
LARGEST_MESSAGE = 2**16
"""Bytes; an environment and a few words fit."""
AT_START = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "DNNL_", "ONEDNN_", "ATEN_", "TORCH_"),
    *("MALLOC_", "GLIBC_", "LD_", "LANG", "LC_", "PYTHON"),
    *("HF_HUB_OFFLINE", "TOKENIZERS_PARALLELISM"),
)
"""Beginnings of the names of variables that are read once: by the loader, by glibc, by Python, or
as a library is imported. A fork cannot change them any more."""


@dataclass(frozen=True)
class Fork:
    """Asks for a worker with this environment, from a server that was started with this `key`."""

    key: str
    environment: dict[str, str]


@dataclass(frozen=True)
class Begun:
    """The worker's process."""

    pid: int


@dataclass(frozen=True)
class Refused:
    """There is no worker, and why."""

    reason: str


@dataclass(frozen=True)
class Exited:
    """The worker has ended; a signal is a negative code."""

    code: int


def start_key(environment: Mapping[str, str]) -> str:
    """All that a process has to be started with: only with the same key one can be forked."""
    fixed = {name: value for name, value in environment.items() if name.startswith(AT_START)}
    return json.dumps([sys.executable, str(ROOT), sorted(fixed.items())])
