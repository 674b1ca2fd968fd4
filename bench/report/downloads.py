"""The run's CSV files inside the page, as links that need no network."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass

from bench.report.view import View
from bench.results.csv_format import encode
from bench.results.schema import TABLES
from bench.results.store import ENVIRONMENT
from bench.wording.numbers import quantity

ORDER = (
    "cases.csv",
    "ratios.csv",
    "summary.csv",
    ENVIRONMENT,
    "measurements.csv",
    "samples.csv",
    "rounds.csv",
    "gemm.csv",
)
"""The files people ask for first come first, where not all have room."""
PLAIN = 100_000
"""Bytes up to which a file is embedded as it is; larger ones are compressed."""
LONGEST = 1_900_000
"""Characters of one link: browsers refuse addresses of 2 MiB and more."""
COMPRESSION = 6
RATIO_BOUND = 20
"""No CSV of ours compresses better than this: a file too large even so is not tried."""


@dataclass(frozen=True)
class Download:
    """A file of the run: its link, or why it has none."""

    run: str
    name: str
    size: str
    href: str = ""
    why: str = ""


def downloads(views: list[View], room: int) -> list[Download]:
    """Links to the files of all runs, as many as fit into `room` characters."""
    found = []
    for name in ORDER:
        for view in views:
            made = _one(view, name, room)
            if made is not None:
                room -= len(made.href)
                found.append(made)
    return found


def _one(view: View, name: str, room: int) -> Download | None:
    data = _contents(view, name, room)
    if data is None:
        return None
    size = (
        quantity(float(len(data)), "B") if isinstance(data, bytes) else quantity(float(data), "B")
    )
    short = Download(
        view.run.id,
        name,
        size,
        why=f"too large for this page; it is in the run’s directory as {name}",
    )
    if not isinstance(data, bytes):
        return short
    kind = "application/json" if name.endswith(".json") else "text/csv"
    if len(data) > PLAIN:
        data = gzip.compress(data, COMPRESSION, mtime=0)
        kind, name = "application/gzip", f"{name}.gz"
    href = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return short if len(href) > min(room, LONGEST) else Download(view.run.id, name, size, href)


def _contents(view: View, name: str, room: int) -> bytes | int | None:
    """The file; only its size when it cannot fit anyway; None when there is none.

    Summary and ratios are those computed for this page, never an older file beside the samples.
    """
    computed = {"summary.csv": view.summary, "ratios.csv": view.ratios}
    if name in computed:
        columns = TABLES[name.removesuffix(".csv")]
        rows = computed[name][list(columns)].itertuples(index=False, name=None)
        return encode(columns, rows, header=True).encode()
    path = view.run.directory / name
    if not path.is_file():
        return None
    size = path.stat().st_size
    return size if size > RATIO_BOUND * min(room, LONGEST) else path.read_bytes()
