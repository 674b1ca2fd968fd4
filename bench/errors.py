"""The errors a user can cause or meet: each is one clear line, never a traceback."""

from __future__ import annotations


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
