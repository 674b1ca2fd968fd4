"""The headline cards: five quantities, every model against the reference, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.advice import PEAK
from bench.report.figures.canvas import Look
from bench.report.notices import sentence
from bench.report.table import Table
from bench.report.view import Context, View, at, workload_text
from bench.wording.numbers import (
    Relation,
    bounds,
    change,
    fewer,
    quantity,
    relation,
    smaller,
    times,
)

SPAN = math.log(20.0)
"""A card's strip reaches from 1/20 to 20, logarithmic."""
EXACT = "exact"
STRIP = 120.0
"""Width of the strip in its own units."""


@dataclass(frozen=True)
class Strip:
    """Where a ratio and its interval lie on a strip with 1 in the middle."""

    x: float
    low: float
    width: float
    colour: str


@dataclass(frozen=True)
class Entry:
    """One model on a card."""

    name: str
    big: str
    interval: str
    words: str
    values: str
    strip: Strip | None


@dataclass(frozen=True)
class Card:
    """One quantity."""

    title: str
    where: str
    entries: list[Entry]
    missing: str = ""


def cards(view: View) -> list[Card]:
    """The five cards of the page's top."""
    return _cards(view, view.headlined or [view.reference])


def table(view: View) -> Table | None:
    """What the cards say, of every model: where there are more of them than cards can hold."""
    if view.others == view.headlined:
        return None
    found = _cards(view, view.others)
    rows = [
        [view.names[model], *(_cell(card.entries[i]) if card.entries else "" for card in found)]
        for i, model in enumerate(view.others)
    ]
    caption = f"Every model against {view.names[view.reference]}"
    heads = ["Model", *(card.title for card in found)]
    where = [f"{card.title.lower()}: {card.where}" for card in found if card.entries]
    note = f"In brackets the 95 % interval. {sentence('; '.join(where))}"
    return Table("every-model", caption, heads, rows, set(range(1, len(heads))), note=note)


def _cell(entry: Entry) -> str:
    bounds = "" if entry.interval == EXACT else entry.interval
    return " ".join(filter(None, (entry.big, bounds)))


def _cards(view: View, models: list[str]) -> list[Card]:
    context = view.contexts[0]
    peak = next((m for m in PEAK if len(view.values(m, context))), PEAK[-1])
    wanted = (
        ("Stored parameters", "stored_parameters", "counted exactly", "parameters"),
        (*_disk(view, context), "parameters"),
        ("Peak memory", peak, _peak_words(peak), "memory"),
        ("Latency", "latency", "median of all samples", "latency"),
        ("Throughput", "throughput_sequences", "sequences per second", "throughput"),
    )
    return [_card(view, context, models, *row) for row in wanted]


def _disk(view: View, context: Context) -> tuple[str, str, str]:
    """Checkpoints as downloaded where every model has one, else the bytes of the weights."""
    known = view.values("checkpoint_bytes", context)
    if len(known) and set(view.models) <= set(known["model"]):
        return "Weights on disk", "checkpoint_bytes", "the checkpoint file"
    return "Weights on disk", "weight_bytes", "bytes of the weights alone, counted"


def _peak_words(metric: str) -> str:
    return "peak RSS above the libraries" if metric == "peak_rss_bytes" else "CUDA allocator’s peak"


def _card(
    view: View,
    context: Context,
    models: list[str],
    title: str,
    metric: str,
    what: str,
    suite: str,
) -> Card:
    values, ratios = view.values(metric, context), view.compared(metric, context)
    if values.empty:
        return Card(title, what, [], f"not measured: bench run {suite}")
    workload = _workload(view, metric, context, values)
    place = f"{what}, {workload_text(*workload)}" if _varies(metric) else what
    entries = []
    for model in models:
        own, row = at(values, workload, model), at(ratios, workload, model)
        if own is None:
            entries.append(Entry(view.names[model], "–", "", "no result for this case", "", None))
        elif row is None:
            entries.append(_alone(view, model, own))
        else:
            base = at(values, workload, view.reference)
            entries.append(_entry(view, metric, row, (own, base)))
    return Card(title, place, entries)


def _varies(metric: str) -> bool:
    """Whether the metric depends on the workload."""
    return metric not in ("stored_parameters", "weight_bytes", "checkpoint_bytes")


def _workload(view: View, metric: str, context: Context, values: pd.DataFrame) -> tuple[int, int]:
    """The usual workload; for throughput the largest batch of its length that most models have."""
    usual = view.workload(metric, context)
    if usual is None:
        raise AssertionError(f"no workload of {metric}")  # the caller has rows of it
    if metric != "throughput_sequences":
        return usual
    models = values[values["seq_len"] == usual[1]].groupby("batch_size")["model"].nunique()
    return int(models[models == models.max()].index.max()), usual[1]


def _alone(view: View, model: str, own: Any) -> Entry:
    words = "" if model == view.reference else "no ratio: the reference has no result"
    return Entry(view.names[model], quantity(own.value, own.unit), "", words, "", None)


def _entry(view: View, metric: str, row: Any, pair: tuple[Any, Any]) -> Entry:
    own, base = pair
    if metric == "stored_parameters":
        words = fewer(row.ratio)
    elif metric == "latency":
        words = change(row, "slower", "faster")
    elif metric == "throughput_sequences":
        words = change(row, "more", "less")
    else:
        words = _smaller_or_not(row)
    values = f"{quantity(own.value, own.unit)} against {quantity(base.value, base.unit)}"
    exact = row.low == row.high
    return Entry(
        view.names[row.model],
        times(row.ratio, row.low, row.high),
        EXACT if exact else bounds(row.low, row.high),
        words,
        values,
        _strip(row, Look(view.models).colour(row.model)),
    )


def _strip(row: Any, colour: str) -> Strip:
    low = row.ratio if math.isnan(row.low) else row.low
    high = row.ratio if math.isnan(row.high) else row.high
    start, end = _along(low), _along(high)
    return Strip(_along(row.ratio), start, max(end - start, 0.0), colour)


def _along(ratio: float) -> float:
    """A ratio's place on the strip; beyond its ends it stays at the end."""
    share = max(-1.0, min(1.0, math.log(ratio) / SPAN)) if ratio > 0 else -1.0
    return round(STRIP / 2 * (1 + 0.94 * share), 1)


def _smaller_or_not(row: Any) -> str:
    """What words say of a ratio of sizes."""
    found = relation(row.low, row.high)
    if found in (Relation.MORE, Relation.LESS, Relation.EQUAL):
        return smaller(row.ratio)
    return change(row, "more", "less")
