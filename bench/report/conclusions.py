"""The titles of figures of speed: one-sentence conclusions, no more than intervals support."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.core.english import several
from bench.report.view import Context, View, at, each
from bench.stats.relation import Relation
from bench.wording.numbers import interval_of, percent
from bench.wording.verdicts import FASTER, SLOWER, Speeds


def usual(view: View, context: Context, model: str, timed: pd.DataFrame) -> Any:
    """The ratio that is spoken of first: at the usual workload, else the first one timed."""
    return at(timed, view.workload("latency", context), model) or each(timed)[0]


def speed_conclusion(
    view: View, rows: pd.DataFrame, across: str | None, *, inverse: bool = False
) -> str:
    """The title of a figure of paired speed ratios; empty when there are none.

    `across` is the column on the x axis. `inverse`: the ratios are of rates, where less is slower.
    """
    parts = []
    for model in view.others:
        own = rows[rows["model"] == model]
        if len(own):
            parts.append(_of_model(view, model, own, across, inverse=inverse))
    if len(parts) > 2:
        return f"{parts[0]}; {len(parts) - 1} more models below"
    return "; ".join(parts)


def _of_model(
    view: View, model: str, rows: pd.DataFrame, across: str | None, *, inverse: bool
) -> str:
    name, other = view.names[model], view.names[view.reference]
    speeds = Speeds.of(each(rows))
    subject = f"{name}’s throughput" if inverse else name
    if across is None or not (speeds.count(Relation.MORE) or speeds.count(Relation.LESS)):
        return f"{subject} {speeds.predicate(other, inverse=inverse)}"
    more, less = ("higher", "lower") if inverse else (SLOWER, FASTER)
    words = []
    for kind, word in ((Relation.MORE, more), (Relation.LESS, less)):
        decided = speeds.of_kind(kind)
        if len(decided) == len(rows) > 1:
            return f"{subject} is {_everywhere(rows, across, word)}"
        if decided:
            extreme = max(decided, key=lambda r: abs(r.ratio - 1))
            size = percent(*interval_of(extreme))
            words.append(f"{size} {word} at {_where(extreme, across)}")
    unknown = speeds.count(Relation.NOT_KNOWN)
    rest = f"; not known at {unknown} other{'s' * (unknown > 1)}" if unknown else ""
    return f"{subject} is {several(words)}{rest}"


def _everywhere(rows: pd.DataFrame, across: str, word: str) -> str:
    """What holds at every x, with both ends: the largest of many ratios alone would flatter it."""
    ends = rows.sort_values(across, kind="stable")
    first, last = (each(ends.iloc[[i]])[0] for i in (0, -1))
    steps = "length" if across == "seq_len" else "batch size"
    return (
        f"{word} at every timed {steps}: {percent(*interval_of(first))} at "
        f"{_where(first, across)}, {percent(*interval_of(last))} at {_where(last, across)}"
    )


def _where(row: Any, across: str) -> str:
    return f"{row.seq_len} tokens" if across == "seq_len" else f"batch {row.batch_size}"
