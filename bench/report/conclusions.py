"""One-sentence conclusions from ratios: no more than their intervals support."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.core.english import several
from bench.report.view import Context, View, at, each
from bench.wording.numbers import DECIDED, Relation, change, count, percent, relation


def tally(rows: pd.DataFrame) -> dict[Relation, int]:
    """How many ratios lie above 1, below it, or are not decided."""
    found = [relation(r.low, r.high) for r in each(rows)]
    return {kind: found.count(kind) for kind in Relation}


def overall_speed(view: View, context: Context, model: str, timed: pd.DataFrame) -> str | None:
    """One word for all timed workloads of a model; None when none was timed."""
    if timed.empty:
        return None
    row = usual(view, context, model, timed)
    return overall(tally(timed), relation(row.low, row.high))


def usual(view: View, context: Context, model: str, timed: pd.DataFrame) -> Any:
    """The ratio that is spoken of first: at the usual workload, else the first one timed."""
    return at(timed, view.workload("latency", context), model) or each(timed)[0]


def overall(found: dict[Relation, int], said: Relation) -> str:
    """One word for all timed workloads, of the first of which `said` is told beside it.

    Of many intervals a few miss by chance, so a difference at no more than half of them, or not at
    the usual one, is only partly one.
    """
    total = sum(found.values())
    if found[Relation.UNKNOWN] == total:
        return "unknown"
    slower, faster = found[Relation.MORE], found[Relation.LESS]
    if slower and faster:
        return "mixed"
    if not slower and not faster:
        return "open" if found[Relation.UNDECIDED] or found[Relation.EQUAL] else "noisy"
    word = "slower" if slower else "faster"
    whole = 2 * (slower or faster) > total and said in DECIDED
    return word if whole else f"partly {word}"


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
    return "; ".join([*parts[:1], *map(_continued, parts[1:])])


def _continued(text: str) -> str:
    """A sentence after a semicolon: names keep their capitals, its first word does not."""
    return text[0].lower() + text[1:] if text.startswith(("No ", "Too ")) else text


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
    if len(rows) > 1 and len(rows) in (found[Relation.MORE], found[Relation.LESS]):
        return f"{subject} {_everywhere(rows, across, less if found[Relation.LESS] else more)}"
    for kind, word in ((Relation.MORE, more), (Relation.LESS, less)):
        decided = [r for r in each(rows) if relation(r.low, r.high) is kind]
        if decided:
            extreme = max(decided, key=lambda r: abs(r.ratio - 1))
            words.append(f"{percent(extreme.ratio)} {word} at {_where(extreme, across)}")
    return f"{subject} {several(words)}{_rest(found)}"


def _everywhere(rows: pd.DataFrame, across: str, word: str) -> str:
    """What holds at every x, with both ends: the largest of many ratios alone would flatter it."""
    ends = rows.sort_values(across, kind="stable")
    first, last = (each(ends.iloc[[i]])[0] for i in (0, -1))
    steps = "length" if across == "seq_len" else "batch size"
    return (
        f"{word} at every timed {steps}: {percent(first.ratio)} at {_where(first, across)}, "
        f"{percent(last.ratio)} at {_where(last, across)}"
    )


def _where(row: Any, across: str) -> str:
    return f"{row.seq_len} tokens" if across == "seq_len" else f"batch {row.batch_size}"


def _rest(found: dict[Relation, int]) -> str:
    """What was not decided is said in the same breath."""
    rest = (
        (found[Relation.UNDECIDED], "no difference found"),
        (found[Relation.NOISY] + found[Relation.UNKNOWN], "too noisy to tell"),
    )
    return "".join(f"; {said} at {n} other{'s' * (n > 1)}" for n, said in rest if n)


def _undecided(name: str, other: str, rows: pd.DataFrame, found: dict[Relation, int]) -> str:
    if found[Relation.UNKNOWN] == len(rows):
        return f"Too few repeats to say whether {name} or {other} is faster"
    if found[Relation.EQUAL] == len(rows):
        return f"{name} and {other} are exactly as fast"
    if found[Relation.NOISY] + found[Relation.UNKNOWN] == len(rows):
        return f"Too noisy to tell whether {name} or {other} is faster"
    rest = found[Relation.NOISY] + found[Relation.UNKNOWN]
    ending = f"; {rest} of {len(rows)} workloads are too noisy to tell" if rest else ""
    return f"No difference in speed was found between {name} and {other}{ending}"


def _counted(name: str, other: str, rows: pd.DataFrame, found: dict[Relation, int]) -> str:
    kinds = ((Relation.MORE, "slower"), (Relation.LESS, "faster"))
    for kind, word in kinds:
        if found[kind] == len(rows) > 1:
            return f"{name} is {word} in all {len(rows)} workloads"
    said = [f"{word} in {found[kind]}" for kind, word in kinds if found[kind]]
    rest = len(rows) - found[Relation.MORE] - found[Relation.LESS]
    ending = f", not told apart in {rest}" if rest else ""
    text = f"Of {count(len(rows), 'workload')}, {name} is {several(said)}{ending}"
    if len(rows) > 1:
        return text
    return f"{name} is {change(each(rows)[0], 'slower', 'faster')} than {other}"
