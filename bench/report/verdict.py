"""The answer first: a headline, three sentences and the cards, built from ratios and intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.conclusions import tally
from bench.report.text import (
    Relation,
    bounds,
    change,
    count,
    fewer,
    quantity,
    ratio_text,
    relation,
    several,
    smaller,
    times,
)
from bench.report.view import Context, View, at, each, workload_text

PEAK = ("cuda_peak_allocated_bytes", "peak_rss_bytes")
"""What a forward needed at most: the first of these that was measured."""


@dataclass(frozen=True)
class Verdict:
    """What the page opens with."""

    headline: str
    sentences: list[str]


def verdict(view: View) -> Verdict:
    """Which model, for what, on this machine."""
    context = view.contexts[0]
    if not view.others:
        return _single(view, context)
    model = view.others[0]
    timed = _timed(view, context, model)
    headline = _headline(view, context, model, timed)
    sentences = [_size(view, context, model), _speed(view, context, timed, model)]
    sentences.append(_advice(view, context, model, timed))
    for other in view.others[1:]:
        rows = _timed(view, context, other)
        sentences.append(
            " ".join(
                s for s in (_size(view, context, other), _speed(view, context, rows, other)) if s
            )
        )
    sentences += [_elsewhere(view, c, model) for c in view.contexts[1:]]
    return Verdict(headline, [s for s in sentences if s])


def _timed(view: View, context: Context, model: str) -> pd.DataFrame:
    rows = view.compared("latency", context)
    return rows[rows["model"] == model]


def _headline(view: View, context: Context, model: str, timed: pd.DataFrame) -> str:
    name, other = view.names[model], view.names[view.reference]
    stored = view.one_ratio("stored_parameters", model, context) or view.one_ratio(
        "weight_bytes", model, context
    )
    size = None if stored is None else relation(stored.low, stored.high)
    speed = _overall(tally(timed))
    if speed is None and size is None:
        return f"Nothing here tells {name} and {other} apart yet"
    if size is None:
        return f"{name} {_SPEED_ALONE[speed]} {other}" if speed else ""
    word = {Relation.LESS: "the smaller model", Relation.MORE: "the larger model"}.get(
        size, "as large a model"
    )
    ending = {
        None: "; speed was not measured",
        "slower": ", not the faster one" if size is Relation.LESS else ", and the slower one",
        "faster": ", and the faster one",
        "mixed": "; which is faster depends on the workload",
        "open": "; no difference in speed was found",
        "unknown": "; too few repeats to judge speed",
    }[speed]
    return f"{name} is {word}{ending}"


_SPEED_ALONE = {
    "slower": "is slower than",
    "faster": "is faster than",
    "mixed": "is faster at some workloads and slower at others than",
    "open": "shows no difference in speed to",
    "unknown": "has too few repeats to be compared in speed with",
}


def _overall(found: dict[Relation, int]) -> str | None:
    """One word for all timed workloads; None when none was timed."""
    if not sum(found.values()):
        return None
    if found[Relation.UNKNOWN] == sum(found.values()):
        return "unknown"
    slower, faster = found[Relation.MORE], found[Relation.LESS]
    if slower and faster:
        return "mixed"
    return "slower" if slower else "faster" if faster else "open"


def _size(view: View, context: Context, model: str) -> str:
    name, other = view.names[model], view.names[view.reference]
    parts = []
    stored = view.one_ratio("stored_parameters", model, context)
    if stored is not None:
        own, base = _pair(view, "stored_parameters", model, context)
        parts.append(
            f"stores {fewer(stored.ratio)} parameters than {other} ({own} against {base})".replace(
                "equally many parameters than", "as many parameters as"
            )
        )
    held = view.one_ratio("weight_bytes", model, context)
    if held is not None:
        own, base = _pair(view, "weight_bytes", model, context)
        parts.append(f"takes {own} for its weights instead of {base}")
    return f"{name} {several(parts)}." if parts else ""


def _pair(view: View, metric: str, model: str, context: Context) -> tuple[str, str]:
    rows = [view.one_value(metric, m, context) for m in (model, view.reference)]
    own, base = ("an unknown amount" if r is None else quantity(r.value, r.unit) for r in rows)
    return own, base


def _speed(view: View, context: Context, timed: pd.DataFrame, model: str) -> str:
    name, other = view.names[model], view.names[view.reference]
    if timed.empty:
        return f"How fast {name} is against {other} was not measured in this run."
    row = at(timed, view.workload("latency", context), model) or each(timed)[0]
    found = tally(timed)
    said = change(row, "slower", "faster")
    text = (
        f"On {context}, at {workload_text(row.batch_size, row.seq_len)}, one forward of {name} "
        f"takes {ratio_text(row)} the time of {other}’s: {said}"
    )
    if len(timed) == 1:
        return f"{text}."
    if found[Relation.UNDECIDED] == len(timed):
        return f"{text}; nor was one found in any of the {len(timed)} timed workloads."
    everywhere = {found[Relation.MORE]: "slower", found[Relation.LESS]: "faster"}.get(len(timed))
    if everywhere:
        return f"{text}; it is {everywhere} in all {len(timed)} timed workloads."
    rest = [
        f"{word} in {found[kind]}"
        for kind, word in (
            (Relation.MORE, "slower"),
            (Relation.LESS, "faster"),
            (Relation.UNDECIDED, "not told apart"),
            (Relation.UNKNOWN, "not judged, for want of repeats,"),
        )
        if found[kind]
    ]
    return f"{text}; over {count(len(timed), 'timed workload')} it is {several(rest)}."


def _advice(view: View, context: Context, model: str, timed: pd.DataFrame) -> str:
    """The recommendation: no more than size and speed together support."""
    name, other = view.names[model], view.names[view.reference]
    stored = view.one_ratio("weight_bytes", model, context) or view.one_ratio(
        "stored_parameters", model, context
    )
    speed = _overall(tally(timed))
    size = None if stored is None else relation(stored.low, stored.high)
    if size is Relation.LESS and speed in ("slower", "open", "unknown", None):
        ending = {
            "slower": f"for speed, take {other}",
            "open": "speed, as far as this run can tell, is no reason to choose either",
            "unknown": "speed needs more repeats (--repeats 5) before it can decide",
            None: "speed was not measured",
        }[speed]
        return (
            f"Take {name} where download, disk or resident weights are the limit"
            f"{_peak_clause(view, context, model)}; {ending}."
        )
    return {
        "faster": f"On this machine {name} is the faster choice.",
        "slower": f"On this machine {other} is the faster choice.",
        "mixed": "Look up your own workload below before choosing for speed.",
        "open": "On this machine speed is no reason to choose either.",
    }.get(speed or "", "")


def _peak_clause(view: View, context: Context, model: str) -> str:
    metric, row = peak_ratio(view, context, model)
    if row is None:
        return ""
    words = "peak RSS" if metric == "peak_rss_bytes" else "CUDA peak"
    where = workload_text(row.batch_size, row.seq_len)
    return f" (at {where} its {words} is {ratio_text(row)} that of {view.names[view.reference]})"


def peak_ratio(view: View, context: Context, model: str) -> tuple[str, Any | None]:
    """Metric and row of the ratio of peak memory at the usual workload."""
    for metric in PEAK:
        row = at(view.compared(metric, context), view.workload(metric, context), model)
        if row is not None:
            return metric, row
    return PEAK[-1], None


def _elsewhere(view: View, context: Context, model: str) -> str:
    timed = _timed(view, context, model)
    if timed.empty:
        return ""
    row = at(timed, view.workload("latency", context), model) or each(timed)[0]
    return (
        f"On {context}: {times(row.ratio, row.low, row.high)} {bounds(row.low, row.high)} the time "
        f"at {workload_text(row.batch_size, row.seq_len)}, {change(row, 'slower', 'faster')}."
    )


def _single(view: View, context: Context) -> Verdict:
    """One model alone has nothing to be compared with: only what it needs."""
    name, model = view.names[view.reference], view.reference
    sentences = []
    stored = view.one_value("stored_parameters", model, context)
    held = view.one_value("weight_bytes", model, context)
    if stored is not None and held is not None:
        sentences.append(
            f"{name} stores {quantity(stored.value, '1')} parameters in "
            f"{quantity(held.value, 'B')} of weights."
        )
    row = at(view.values("latency", context), view.workload("latency", context), model)
    if row is not None:
        sentences.append(
            f"On {context}, at {workload_text(row.batch_size, row.seq_len)}, one forward takes "
            f"{quantity(row.value, 's')} (median of {count(int(row.n), 'sample')})."
        )
    sentences.append("One model was measured, so there is no ratio: add --model to compare.")
    return Verdict(f"{name}, measured alone", sentences)


def smaller_or_not(row: Any) -> str:
    """A card's small print for a ratio of sizes."""
    found = relation(row.low, row.high)
    if found in (Relation.MORE, Relation.LESS, Relation.EQUAL):
        return smaller(row.ratio)
    return change(row, "more", "less")
