"""One-sentence conclusions from ratios: no more than their intervals support."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.report.text import Relation, change, count, percent, relation, several
from bench.report.view import View, each, workload_text


def tally(rows: pd.DataFrame) -> dict[Relation, int]:
    """How many ratios lie above 1, below it, or are not decided."""
    found = [relation(r.low, r.high) for r in each(rows)]
    return {kind: found.count(kind) for kind in Relation}


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
        parts = [*parts[:2], f"{len(parts) - 2} more models below"]
    return "; ".join(parts)


def _of_model(
    view: View, model: str, rows: pd.DataFrame, across: str | None, *, inverse: bool
) -> str:
    more, less = ("higher", "lower") if inverse else ("slower", "faster")
    name, other = view.names[model], view.names[view.reference]
    found = tally(rows)
    subject = f"{name}’s throughput is" if inverse else f"{name} is"
    if not found[Relation.MORE] and not found[Relation.LESS]:
        return _undecided(name, other, rows, found)
    if across is None:
        return _counted(name, other, rows, found)
    words = []
    for kind, word in ((Relation.MORE, more), (Relation.LESS, less)):
        decided = [r for r in each(rows) if relation(r.low, r.high) is kind]
        if decided:
            extreme = max(decided, key=lambda r: abs(r.ratio - 1))
            words.append(f"{percent(extreme.ratio)} {word} at {_where(extreme, across)}")
    return f"{subject} {several(words)}{_rest(found)}"


def _where(row: Any, across: str) -> str:
    return f"{row.seq_len} tokens" if across == "seq_len" else f"batch {row.batch_size}"


def _rest(found: dict[Relation, int]) -> str:
    """What was not decided is said in the same breath."""
    rest = found[Relation.UNDECIDED] + found[Relation.UNKNOWN]
    return f"; no difference found at {rest} other{'s' * (rest > 1)}" if rest else ""


def _undecided(name: str, other: str, rows: pd.DataFrame, found: dict[Relation, int]) -> str:
    if found[Relation.UNKNOWN] == len(rows):
        return f"Too few repeats to say whether {name} or {other} is faster"
    if found[Relation.EQUAL] == len(rows):
        return f"{name} and {other} are exactly as fast"
    return f"No difference in speed was found between {name} and {other}"


def _counted(name: str, other: str, rows: pd.DataFrame, found: dict[Relation, int]) -> str:
    said = [
        f"{word} in {found[kind]}"
        for kind, word in ((Relation.MORE, "slower"), (Relation.LESS, "faster"))
        if found[kind]
    ]
    rest = len(rows) - found[Relation.MORE] - found[Relation.LESS]
    ending = f", not told apart in {rest}" if rest else ""
    text = f"Of {count(len(rows), 'workload')}, {name} is {several(said)}{ending}"
    return (
        text
        if len(rows) > 1
        else f"{name} is {change(_only(rows), 'slower', 'faster')} than {other}"
    )


def _only(rows: pd.DataFrame) -> Any:
    return each(rows)[0]


def at_workload(row: Any) -> str:
    """`batch 1, 128 tokens` of a row."""
    return workload_text(row.batch_size, row.seq_len)
