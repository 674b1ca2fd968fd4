"""The only module that reads or writes results (described in results/README.md).

Rows are appended and synced as soon as they are known; a write that fails is taken back. A batch of
rows carries its own length (`index` of `of`), so a batch that was cut short is seen and set aside,
and a half-written number is never read as a whole one. Everything else is replaced atomically.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from bench.core.errors import OutputError, UsageError
from bench.results.atomic import sync_directory, write_json, write_text
from bench.results.csv_format import decode, encode
from bench.results.schema import (
    ABSENT,
    BATCHED,
    CASES,
    IDENTITY,
    NEWER,
    RATIOS,
    RAW,
    SUMMARY,
    TABLES,
)
from bench.results.validate import check_environment, check_tables

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BATCHED", "CASES", "IDENTITY", "RATIOS", "RAW", "SUMMARY", "TABLES"]

FORMAT = 1
"""Version of the layout below; a directory of another version is refused, not guessed at."""

ENVIRONMENT = "environment.json"
PYTEST_BENCHMARK = "pytest-benchmark.json"
LOCK = ".lock"
_WRITTEN = "|".join(map(re.escape, (ENVIRONMENT, PYTEST_BENCHMARK, *(f"{t}.csv" for t in TABLES))))
_LEFT_OVER = re.compile(rf"\.({_WRITTEN})\.[0-9]+\.tmp")
"""Names of `write_text` for a run's files, left by a process that was killed while it wrote."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A run as read back: raw tables (DataFrames, one per entry of `RAW`) and its environment.

    `damage` holds one sentence for each thing that was set aside while reading.
    """

    directory: Path
    environment: dict[str, Any]
    cases: pd.DataFrame
    samples: pd.DataFrame
    measurements: pd.DataFrame
    rounds: pd.DataFrame
    gemm: pd.DataFrame
    damage: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The run's name: that of its directory when it was made."""
        return str(self.environment["run"]["id"])


@dataclass
class RunWriter:
    """Appends to one run directory; whoever holds it is the only writer."""

    directory: Path
    _lock: Any = field(repr=False)

    def append(self, table: str, rows: Iterable[Row]) -> None:
        """Append `rows` to a raw table, synced to disk before returning, or not at all."""
        columns, path = TABLES[table], self.directory / f"{table}.csv"
        values = ([row[c] for c in columns] for row in rows)
        with self._going_on(), path.open("ab", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            data = memoryview(encode(columns, values, header=not end).encode())
            try:
                while data:  # a disk that is about to be full takes a part
                    data = data[file.write(data) :]
                os.fsync(file.fileno())
            except BaseException:  # Ctrl-C too: never leave half a row for the next to follow
                with suppress(OSError):
                    file.truncate(end)
                raise
        if not end:
            sync_directory(self.directory)

    def append_batch(self, table: str, name: str, process: int, rows: Sequence[Row]) -> None:
        """Append all rows of one case (or group) and process, numbered within the batch."""
        key = {next(iter(TABLES[table])): name, "process": process, "of": len(rows)}
        self.append(table, ({**row, **key, "index": i} for i, row in enumerate(rows)))

    def write_table(self, table: str, frame: pd.DataFrame) -> None:
        """Replace a whole table, atomically."""
        columns = TABLES[table]
        rows = frame[list(columns)].itertuples(index=False, name=None)
        with self._going_on():
            write_text(self.directory / f"{table}.csv", encode(columns, rows, header=True))

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Replace `environment.json`, atomically."""
        self.write_json(ENVIRONMENT, {"format": FORMAT, **environment})

    def write_json(self, name: str, value: Any) -> None:
        """Replace a JSON file, atomically."""
        with self._going_on():
            write_json(self.directory / name, value)

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """Say of a write that failed what is kept and how to go on."""
        try:
            yield
        except OSError as error:
            what = f"cannot write to {self.directory}: {error.strerror or error}"
            raise OutputError(f"{what}. {self.resume_hint()}") from error

    def resume_hint(self) -> str:
        """What is kept of a run that has to end early, and what to type once that is fixed."""
        if not (self.directory / ENVIRONMENT).exists():
            return "Nothing was measured yet: once that is fixed, start the run again"
        return (
            "What was finished before is kept; once that is fixed, continue with: "
            f"{resume_command(self.directory)}"
        )

    def abandon(self) -> None:
        """Take back a new directory in which nothing has been written yet."""
        self.close()
        (self.directory / LOCK).unlink(missing_ok=True)
        if not any(self.directory.iterdir()):
            self.directory.rmdir()

    def close(self) -> None:
        """Let another process use the directory."""
        self._lock.release()


def new_directory(root: Path, now: datetime) -> Path:
    """A fresh `<time>-<short id>` path below `root` (not yet made)."""
    return root / f"{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"


def open_run(directory: Path, *, resume: bool = False) -> RunWriter:
    """Take a run directory for writing.

    Raises UsageError when it cannot be made, when another process writes to it, or when it already
    holds a run and `resume` is false.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(directory / LOCK)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not resume and not (directory / LOCK).exists():
            _refuse_full(directory)  # somebody else's: not even a lock is left in it
        lock.acquire(timeout=0)
        for path in directory.iterdir():
            if _LEFT_OVER.fullmatch(path.name):
                path.unlink()
        if not resume:
            _refuse_full(directory)
    except Timeout:
        raise UsageError(
            f"{directory} is in use by another bench process: wait for it or choose another"
        ) from None
    except OSError as error:
        lock.release()
        raise UsageError(f"cannot write to {directory}: {error.strerror or error}") from None
    except UsageError:
        lock.release()
        raise
    return RunWriter(directory, lock)


def resume_command(directory: Path) -> str:
    """What to type to finish the run in `directory`, whatever that is called."""
    return f"bench run --resume {quote(str(directory))}"


def _refuse_full(directory: Path) -> None:
    """A new run never mixes with what is there already, apart from what a dead run left over."""
    if any(p.name != LOCK and not _LEFT_OVER.fullmatch(p.name) for p in directory.iterdir()):
        raise UsageError(
            f"{directory} is not empty: give --output a new directory, "
            f"or finish an interrupted run with --resume {quote(str(directory))}"
        )


def read_run(directory: Path) -> Run:
    """Read a run's raw tables, checked against the contract; incomplete batches are set aside.

    Raises UsageError naming the file and the column for anything that is not this tool's.
    """
    if not directory.is_dir():
        raise UsageError(f"no run at {directory}: give a directory that `bench run` wrote")
    environment = read_environment(directory)
    damage: list[str] = []
    tables = {name: _read(directory, name, damage) for name in RAW}
    for name in BATCHED:
        tables[name] = _whole_batches(tables[name], name, damage)
    try:
        check_tables(environment, tables)
    except ValueError as error:
        raise UsageError(f"{directory} cannot be read as a run of this tool: {error}") from None
    return Run(directory, environment, **tables, damage=tuple(damage))


def read_environment(directory: Path) -> dict[str, Any]:
    """Read and check `environment.json` alone."""
    path = directory / ENVIRONMENT
    try:
        environment = dict(json.loads(path.read_text(encoding="utf-8")))
        version = environment["format"]
    except FileNotFoundError:
        raise UsageError(f"no run at {directory}: it has no {ENVIRONMENT}") from None
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as a run's environment: {error}") from None
    if version != FORMAT:
        raise UsageError(
            f"{path} has format {version}; this version of bench reads format {FORMAT}"
        )
    try:
        check_environment(environment)
    except ValueError as error:
        raise UsageError(f"{path} was not written by this tool: {error}") from None
    environment["run"]["plan"] = [_planned(row) for row in environment["run"]["plan"]]
    return environment


def _planned(row: Row) -> Row:
    """A planned case as one of today: the axes of its version alone would not compare with ours."""
    return {name: row.get(name, ABSENT.get(name)) for name in ("case", *IDENTITY)}


def read_table(directory: Path, table: str) -> pd.DataFrame:
    """Read one table of a run, checked against the contract; empty when there is none."""
    return _read(directory, table, [])


def _read(directory: Path, table: str, damage: list[str]) -> pd.DataFrame:
    path = directory / f"{table}.csv"
    try:
        data = path.read_bytes() if path.exists() else b""
        frame = decode(data, TABLES[table], {**ABSENT, **NEWER.get(table, {})})
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} cannot be read as a {table}.csv of this tool: {error}") from None
    if data and not data.endswith(b"\n"):
        damage.append(f"{path.name}: its last line was cut short and is left out")
    return frame


def _whole_batches(frame: pd.DataFrame, table: str, damage: list[str]) -> pd.DataFrame:
    """Keep the batches of which every row is there, once: indices from 0 to one below `of`."""
    if frame.empty:
        return frame
    key = [str(frame.columns[0]), "process"]
    batch = frame.groupby(key, sort=False)
    index, size = batch["index"], batch["of"].transform("min")
    whole = (
        (size == batch["of"].transform("max"))
        & (size == index.transform("size"))
        & (size == index.transform("nunique"))
        & (index.transform("min") == 0)
        & (index.transform("max") == size - 1)
    )
    if not whole.all():
        torn = frame.loc[~whole, key].drop_duplicates()
        damage.extend(
            f"{table}.csv: process {process} of {name} is incomplete and is left out"
            for name, process in torn.itertuples(index=False, name=None)
        )
    return frame[whole].reset_index(drop=True)
