"""The errors a user can cause or meet: each is one clear line, never a traceback."""

from __future__ import annotations

import math
from pathlib import Path


class BenchError(Exception):
    """Something that ended the command; the message says what, which value, and what to do."""

    exit_code = 1


class UsageError(BenchError):
    """Bad input: an option, a name, a path or a file that cannot be used (exit code 2)."""

    exit_code = 2


class UnsupportedError(BenchError):
    """Something that this machine or installation cannot run: a case to skip, by this reason."""


class NothingMeasuredError(BenchError):
    """No case could be measured (exit code 3)."""

    exit_code = 3


class OutputError(BenchError):
    """Results could not be written: a full disk, a read-only directory (exit code 4)."""

    exit_code = 4


def check_seconds(option: str, seconds: float) -> None:
    """Raise UsageError for a length of time that nothing can take."""
    if not 0 < seconds < math.inf:
        raise UsageError(f"{option} is {seconds:g}: give a number of seconds above 0")


class UnusableError(UsageError):
    """A checkpoint that is whole but cannot be benchmarked: of another kind, or without a part."""


class DamagedError(UnusableError):
    """A file that is not what it should be; `path` is the file."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
