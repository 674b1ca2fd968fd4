"""Feed broken files to every reader of results: `python tests/support/fuzz_csv.py --minutes 10`.

Each round damages the files of a good run in one of many ways and reads it back. A run is read, or
refused with a one-line UsageError; any other exception is a traceback a user would have seen, and
any value that is not what stands at its place in the file is a wrong one. Ends with 1 when there
was either.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import scripted_run

from bench.core.errors import UsageError
from bench.report import write_report
from bench.results import store as records
from bench.results.csv_format import decode, encode
from bench.results.pytest_benchmark import to_pytest_benchmark
from bench.results.schema import TABLES
from bench.runner.resume import whole_processes
from bench.stats import noise_causes as noise
from bench.stats.ratios import ratios
from bench.stats.summary import summarise

NUMBERS = (b"1,234", b"1.5E-3", b"nan", b"inf", b"-1", b"", b"0x10", b"1e999", b"9" * 40, b"1_0")
WORDS = (
    b'"',
    b'""',
    b"'",
    b"=1+1",
    b"\xff",
    b"\x00",
    b"\r",
    b"\n",
    b",",
    b";",
    b"\t",
    b"\xef\xbb\xbf",
)


FILES = (".csv", ".json")
PAGE_EVERY = 40
"""One in so many of the runs that are read is made a page of, which takes seconds."""


def a_table(table: str) -> str:
    """Some rows of a table of the gate."""
    values = {"str": "a word", "int": 7, "float": 0.25, "seconds": 0.25}
    row = [values[kind] for kind in TABLES[table].values()]
    return encode(TABLES[table], [row] * 5, header=True)


def damage(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one to three things done to them."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        line_start = data.rfind(b"\n", 0, at) + 1
        cells = data[line_start:].partition(b"\n")[0].split(b",")
        match rng.randrange(8):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 2:
                data = data[:at] + rng.choice(WORDS) + data[at:]
            case 3:
                data = data[:at] + data[at + rng.randint(1, 40) :]
            case 4:
                data = data.replace(rng.choice(cells) or b"1", rng.choice(NUMBERS), 1)
            case 5:
                data = data.replace(
                    rng.choice([b",", b"\n", b"."]), rng.choice([b";", b"\r\n", b","])
                )
            case 6:
                data += data[line_start : line_start + rng.randint(1, 400)]
            case 7:
                lines = data.splitlines(keepends=True)
                rng.shuffle(lines)
                data = b"".join(lines)
    return data


def invented(data: bytes, table: str) -> list[str]:
    """Values of the table that are not what stands at their place in the bytes."""
    try:
        frame = decode(data, TABLES[table])
    except ValueError:
        return []
    whole = data[: data.rfind(b"\n") + 1].decode("utf-8-sig")
    header, *rows = list(csv.reader(StringIO(whole), strict=True)) or [[]]
    if len(rows) != len(frame):
        return [f"{len(frame)} rows of {len(rows)}"]
    found = []
    for name, kind in TABLES[table].items():
        place = header.index(name) if header else 0
        for row, value in zip(rows, frame[name], strict=True):
            if not _same(row[place], value, kind):
                found.append(f"{table}.{name} = {value} of {row[place]}")
    return found


def _same(cell: str, value: Any, kind: str) -> bool:
    """Whether a value is what a careful reader would see in the cell."""
    if kind == "str":
        return value in (cell, cell.removeprefix("'"))
    if not cell:
        return math.isnan(value)
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", cell) is not None and float(cell) == value


def read_all(directory: Path) -> None:
    """Everything that a reader of a run does with it, apart from its page."""
    run = records.read_run(directory)
    noise.warnings(run, summarise(run))
    ratios(run)
    to_pytest_benchmark(run)
    whole_processes(run)
    for table in TABLES:
        records.read_table(directory, table)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    end, rng = time.monotonic() + 60 * given.minutes, random.Random(given.seed)
    seen: Counter[str] = Counter()
    rounds = 0
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root) / "run"
        scripted_run.go(directory)
        for table in ("turns", "pairs"):  # of the gate
            (directory / f"{table}.csv").write_text(a_table(table), encoding="utf-8")
        good = {path: path.read_bytes() for path in directory.iterdir() if path.suffix in FILES}
        while time.monotonic() < end:
            rounds += 1
            path = rng.choice(sorted(good))
            bad = damage(good[path], rng)
            path.write_bytes(bad)
            try:
                read_all(directory)
                seen["read"] += 1
                if seen["read"] % PAGE_EVERY == 0:
                    write_report([directory], Path(root) / "page")
                    seen["pages"] += 1
            except UsageError as refused:
                seen["refused" if "\n" not in str(refused) else "refused in several lines"] += 1
            except Exception:  # noqa: BLE001 - this is what is looked for
                seen["tracebacks"] += 1
                sys.stdout.write(f"{path.name}: {bad[:300]!r}\n{traceback.format_exc()}\n")
            wrong = invented(bad, path.stem) if path.suffix == ".csv" else []
            if wrong:
                seen["wrong numbers"] += 1
                sys.stdout.write(f"{wrong[:3]} of {bad[:300]!r}\n")
            path.write_bytes(good[path])
    failed = sum(seen[name] for name in ("tracebacks", "wrong numbers", "refused in several lines"))
    counts = ", ".join(f"{n} {name}" for name, n in sorted(seen.items()))
    sys.stdout.write(f"{rounds} files: {counts}; {failed} failures\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
