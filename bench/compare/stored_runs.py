"""A stored run as a comparison needs it: how cases ended, and their figures and ratios."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bench.core.axes import AXES, AXIS_NAMES, Variant
from bench.core.case import COMPARED, compares_threads
from bench.core.metric import Judged
from bench.core.metrics import METRICS
from bench.results import store as records

if TYPE_CHECKING:
    import pandas as pd

KEY = ("suite", "model", "device", *AXIS_NAMES, "batch_size", "seq_len")
"""What makes two cases of different runs the same case, whatever machine they ran on.

The number of threads does where a suite compares such numbers, and so do words of an id that stand
for no axis of this version.
"""
CHECKPOINT = "checkpoint_bytes"

Key = tuple[Any, ...]


def judged_as(*how: Judged) -> list[str]:
    """The metrics that are judged in one of these ways, in the order of their declaration."""
    return [name for name, one in METRICS.items() if one.judged in how]


@dataclass(frozen=True)
class Value:
    """One figure of one case: an estimate with bounds, from so many processes."""

    case: str
    unit: str
    value: float
    low: float
    high: float
    processes: int


@dataclass(frozen=True)
class Figures:
    """A stored run as the comparison needs it: how cases ended, and figures by key and metric."""

    run: str
    fingerprint: dict[str, Any]
    ended: dict[Key, tuple[str, str, str]]
    """By case key: case id, status, reason; a planned case that never ended has no status."""
    figures: dict[Key, dict[str, Value]]
    ratios: dict[Key, dict[str, Value]]


def read(directory: Path) -> Figures:
    """Read a run or a baseline.

    All runs are evaluated by today's rules, from their raw tables. Only a baseline that was kept
    without its samples has nothing but the summary and ratios of its time.
    """
    run = records.read_run(directory)
    summary = records.read_table(directory, "summary")
    complete = run.environment["run"]["state"] == "complete"
    if complete and run.samples.empty and not summary.empty:
        return figures(run, summary, records.read_table(directory, "ratios"))
    from bench.stats.analysis import Analysis

    analysis = Analysis(run)
    return figures(run, analysis.summary, analysis.ratios)


def figures(run: records.Run, summary: pd.DataFrame, ratios: pd.DataFrame) -> Figures:
    """A run with what was computed of it, as the comparison needs it."""
    ended = {
        _key(row): (str(row["case"]), "", "it was never measured")
        for row in run.environment["run"]["plan"]
    }
    ended |= {
        _key(row): (str(row["case"]), str(row["status"]), str(row["reason"]))
        for row in run.cases.to_dict("records")
    }
    processes = dict(zip(run.cases["case"], run.cases["processes"], strict=True))
    values = _values(summary, "value", processes)
    for row in run.cases.to_dict("records"):
        if not math.isnan(row[CHECKPOINT]):
            size = Value(str(row["case"]), "B", row[CHECKPOINT], math.nan, math.nan, 1)
            values.setdefault(_key(row), {})[CHECKPOINT] = size
    # A ratio is of two models, so that its key names both.
    paired = ratios[ratios["metric"].isin(judged_as(Judged.PAIRED))]
    return Figures(
        run.id,
        run.environment["fingerprint"],
        ended,
        values,
        {(*key, row["reference"]): {**found} for key, found, row in _with_reference(paired)},
    )


def _with_reference(ratios: pd.DataFrame) -> Iterator[tuple[Key, dict[str, Value], Any]]:
    processes = dict(zip(ratios["case"], ratios["processes"], strict=True))
    by_key = _values(ratios.assign(unit="ratio"), "ratio", processes)
    rows = {_key(row): row for row in ratios.to_dict("records")}
    for key, found in by_key.items():
        yield key, found, rows[key]


def _values(
    table: pd.DataFrame, column: str, processes: dict[str, int]
) -> dict[Key, dict[str, Value]]:
    found: dict[Key, dict[str, Value]] = {}
    for row in table.to_dict("records"):
        case = str(row["case"])
        value = Value(
            case, str(row["unit"]), row[column], row["low"], row["high"], processes.get(case, 0)
        )
        found.setdefault(_key(row), {})[str(row["metric"])] = value
    return found


def _key(row: Any) -> Key:
    case, threads = str(row["case"]), int(row["threads"])
    compared = threads if compares_threads(case, threads) else None
    return (*(row[name] for name in KEY), compared, *_unknown_words(case, row))


def _unknown_words(case: str, row: Any) -> tuple[str, ...]:
    """What an id says of axes that a later version of the tool added: it is another case."""
    variant = Variant.of_row(SimpleNamespace(**{axis.name: row[axis.name] for axis in AXES}))
    known = {*variant.compared, *variant.setting}
    between = case.replace(COMPARED, "").split("/")[3:-3]  # suite, model, device; threads, b, s
    return tuple(word for word in between if word not in known)
