"""Kill a run with SIGKILL at random moments, resume it, and count what was lost or is wrong.

`python tests/support/kill_resume.py --cycles 1000` forks scripted runs (true numbers, no
models) and `--real` starts `bench run` itself on tiny models. Ends with 1 unless nothing was lost,
doubled or wrong; `--minutes` bounds it in time.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import fakes
import scripted_run

from bench.core.errors import BenchError
from bench.results import store as records

REACH = 2.0
"""Kills come after up to this many lengths of a run: some hit its start, some its last write."""


@dataclass
class Tally:
    """What has been found so far."""

    cycles: int = 0
    runs: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.cycles} kills in {self.runs} finished runs: "
            f"{len(self.lost)} lost or doubled, {len(self.wrong)} wrong"
        )


class Log(fakes.ListDisplay):
    """A display that writes what it hears to a file that outlives its process."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def advance(self, case) -> None:
        """See Display."""
        os.write(self.handle, f"advance {case.id}\n".encode())

    def finish(self, case, status, reason) -> None:
        """See Display."""
        del status, reason
        os.write(self.handle, f"finish {case.id}\n".encode())


def told(log: Path) -> Iterator[tuple[str, str]]:
    """Kind and case of everything that was reported as done."""
    for line in log.read_text().splitlines() if log.exists() else ():
        kind, _, case = line.partition(" ")
        yield kind, case


def check(directory: Path, log: Path, tally: Tally) -> None:
    """Compare what is on disk after a kill with what was reported before it."""
    reported = list(told(log))
    if not (directory / records.ENVIRONMENT).exists():
        tally.lost.extend(case for _, case in reported)
        return
    try:
        run = records.read_run(directory)
    except BenchError as error:
        tally.wrong.append(str(error))
        return
    closed = list(run.cases["case"])
    tally.lost.extend(c for kind, c in reported if kind == "finish" and closed.count(c) != 1)
    for case in scripted_run.CASES:
        timed = case.measure.timed
        # A process counts when its whole group is there: a part of one is measured again.
        mates = [c for c in scripted_run.CASES if c.group == case.group] if timed else [case]
        times = min(reported.count(("advance", mate.id)) for mate in mates)
        table = run.samples if timed else run.measurements
        found = set(table.loc[table["case"] == case.id, "process"])
        if not found >= set(range(1, times + 1)):
            tally.lost.append(f"{times} processes of {case.id}, found {sorted(found)}")
    tally.wrong.extend([*scripted_run.wrong(run), *_half_written(directory)])


def _half_written(directory: Path) -> list[str]:
    """Files of a run, other than those that are appended to, that are not there as a whole."""
    tables = (directory / f"{table}.csv" for table in ("summary", "ratios"))
    found = [p.name for p in tables if p.exists() and not p.read_bytes().endswith(b"\n")]
    for path in (directory / records.ENVIRONMENT, directory / records.PYTEST_BENCHMARK):
        with suppress(FileNotFoundError):
            if not path.read_bytes().endswith(b"\n}\n"):
                found.append(path.name)
    return [f"{name} ends before its end" for name in found]


def conclusions(directory: Path) -> dict[str, str]:
    """What was computed from a finished run; the same for all that hold the same numbers."""
    return {name: (directory / f"{name}.csv").read_text() for name in ("summary", "ratios")}


def cycles(count: int, deadline: float, root: Path, rng: random.Random) -> Tally:
    """Fork, kill, check; resume until the run is finished, and begin another."""
    tally, number = Tally(), 0
    length_s = _length(root)
    truth = conclusions(root / "whole")
    while tally.cycles < count and time.monotonic() < deadline:
        directory, log = root / f"run{number}", root / f"log{number}"
        child = os.fork()
        if child == 0:
            _child(directory, log)
        time.sleep(rng.uniform(0, length_s * REACH))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            tally.runs += 1
            if os.WEXITSTATUS(status):
                tally.wrong.append(f"a run ended with {os.WEXITSTATUS(status)}")
            else:
                tally.lost.extend(scripted_run.incomplete(records.read_run(directory)))
                if conclusions(directory) != truth:
                    tally.wrong.append("summary or ratios are not those of a run without a kill")
        else:
            tally.cycles += 1
        check(directory, log, tally)
        if os.WIFEXITED(status):
            shutil.rmtree(directory)
            number += 1
    scripted_run.go(root / f"run{number}")  # what was left has to come to its end as well
    tally.lost.extend(scripted_run.incomplete(records.read_run(root / f"run{number}")))
    return tally


def _length(root: Path) -> float:
    scripted_run.go(root / "first")  # loads the libraries
    began = time.monotonic()
    scripted_run.go(root / "whole")
    length_s = time.monotonic() - began
    sys.stdout.write(f"a whole run takes {length_s * 1e3:.0f} ms\n")
    return length_s


def _child(directory: Path, log: Path) -> None:
    code = 1
    try:
        scripted_run.go(directory, Log(log))
        code = 0
    except BaseException as error:  # noqa: BLE001 - the parent counts it as wrong
        os.write(2, f"{error!r}\n".encode())
    finally:
        os._exit(code)


def real_cycles(count: int, deadline: float, root: Path, rng: random.Random) -> Tally:
    """The same with `bench run` and `--resume` on tiny models; what a kill finds is compared."""
    tally, number = Tally(), 0
    for kind in ("bert", "albert"):
        fakes.tiny_directory(root, kind)
    options = "run parameters latency --model ./bert --model ./albert --weights random --threads 1"
    shape = "--seq-len 8 --seq-len 16 --batch-size 1 --repeats 3 --budget 0.5 --precision 0.0001"
    before: dict[str, object] = {}
    while tally.cycles < count and time.monotonic() < deadline:
        directory = root / f"real{number}"
        resume = (directory / records.ENVIRONMENT).exists()
        fresh = [*options.split(), *shape.split(), "--output", str(directory)]
        arguments = ["run", "--resume", str(directory)] if resume else fresh
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments],
            cwd=root,
            env=fakes.bench_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _, words = process.communicate(timeout=rng.uniform(1, 30))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            tally.cycles += 1
        else:
            tally.runs += 1
            if process.returncode:
                tally.wrong.append(f"exit code {process.returncode}: {words[-300:]}")
            number += 1
        before = _compare(directory, before, tally)
        if process.returncode >= 0:
            before = {}
    return tally


def _compare(directory: Path, before: dict[str, object], tally: Tally) -> dict[str, object]:
    """Every finished case of before is there once and unchanged, and every sample of it is."""
    if not (directory / records.ENVIRONMENT).exists():
        return {}
    run = records.read_run(directory)
    rows: dict[str, object] = {}
    for row in run.cases.itertuples(index=False, name=None):
        mine = run.samples[run.samples["case"] == row[0]]
        rows[row[0]] = (repr(row), mine.to_csv(index=False))
    tally.lost.extend(case for case, row in before.items() if rows.get(case) != row)
    return rows


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true")
    given = parser.parse_args()
    deadline = time.monotonic() + 60 * given.minutes
    with tempfile.TemporaryDirectory() as root:
        kill = real_cycles if given.real else cycles
        tally = kill(given.cycles, deadline, Path(root), random.Random(given.seed))
    sys.stdout.write(f"{tally}\n")
    for text in [*tally.lost, *tally.wrong][:20]:
        sys.stdout.write(f"  {text}\n")
    return int(bool(tally.lost or tally.wrong) or tally.cycles < given.cycles)


if __name__ == "__main__":
    sys.exit(main())
