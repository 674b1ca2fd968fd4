"""The headline cards: a quantity each, every model against the reference, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.core.metric import Metric, Unit
from bench.core.metrics import headlines
from bench.report.drawing.canvas import Look
from bench.report.notices import sentence
from bench.report.table import Table
from bench.report.view import Context, View, at, workload_text
from bench.stats.relation import Relation, judge_row
from bench.wording.numbers import bounds, fewer, interval_of, quantity, smaller, times
from bench.wording.verdicts import change

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
    """The cards of the page's top, one per headline that metrics declare."""
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
    return [_card(view, context, models, _chosen(view, context, m)) for m in headlines().values()]


def _chosen(view: View, context: Context, metrics: list[Metric]) -> Metric:
    """The first that every model has, else the last that any has, else the last."""
    having = {m.name: set(view.values(m.name, context)["model"]) for m in metrics}
    whole = [m for m in metrics if set(view.models) <= having[m.name]]
    some = [m for m in metrics if having[m.name]]
    return whole[0] if whole else (some or metrics)[-1]


def _card(view: View, context: Context, models: list[str], metric: Metric) -> Card:
    shown = metric.headline
    if shown is None:
        raise AssertionError(f"{metric.name} is no headline")
    values, ratios = view.values(metric.name, context), view.compared(metric.name, context)
    if values.empty:
        return Card(shown.title, shown.what, [], f"not measured: bench run {shown.suite}")
    workload = _workload(view, metric, context, values)
    place = f"{shown.what}, {workload_text(*workload)}" if shown.varies else shown.what
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
    return Card(shown.title, place, entries)


def _workload(
    view: View, metric: Metric, context: Context, values: pd.DataFrame
) -> tuple[int, int]:
    """The usual workload; for a rate the largest batch of its length that most models have."""
    usual = view.workload(metric.name, context)
    if usual is None:
        raise AssertionError(f"no workload of {metric.name}")  # the caller has rows of it
    if metric.unit is not Unit.PER_SECOND:
        return usual
    models = values[values["seq_len"] == usual[1]].groupby("batch_size")["model"].nunique()
    return int(models[models == models.max()].index.max()), usual[1]


def _alone(view: View, model: str, own: Any) -> Entry:
    words = "" if model == view.reference else "no ratio: the reference has no result"
    return Entry(view.names[model], quantity(own.value, own.unit), "", words, "", None)


def _entry(view: View, metric: Metric, row: Any, pair: tuple[Any, Any]) -> Entry:
    own, base = pair
    values = f"{quantity(own.value, own.unit)} against {quantity(base.value, base.unit)}"
    ratio, low, high = interval_of(row)
    return Entry(
        view.names[row.model],
        times(ratio, low, high),
        bounds(low, high) or EXACT,
        _in_words(metric.unit, row),
        values,
        _strip(row, Look(view.models).colour(row.model)),
    )


def _in_words(unit: Unit, row: Any) -> str:
    """What a ratio says of values in this unit."""
    if unit is Unit.COUNT:
        return fewer(row.ratio)
    if unit is Unit.SECONDS:
        return change(row, "slower", "faster")
    return _smaller_or_not(row) if unit is Unit.BYTES else change(row, "more", "less")


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
    found = judge_row(row)
    if found.is_decided or found.relation is Relation.EQUAL:
        return smaller(row.ratio)
    return change(row, "more", "less")
