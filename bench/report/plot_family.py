"""Figure of families: what each model stores against what it takes, sizes of a family joined."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from bench.report import canvas
from bench.report.canvas import Drawn, Look
from bench.report.text import quantity, significant
from bench.report.view import Context, View, at, workload_text

LEAST = 3
"""Fewer models make no family."""
SIZES = re.compile(r"-(tiny|mini|small|medium|base|large|xlarge|xxlarge)\b")
"""What tells the sizes of a family apart in their names."""
MILLION = 1e6


def family(view: View, context: Context) -> Drawn | None:
    """Latency at one workload by stored parameters, a point per model, a line per family."""
    workload = view.workload("latency", context)
    rows = view.values("latency", context)
    points = [
        (model, stored.value, row)
        for model in view.models
        if (row := at(rows, workload, model)) is not None
        and (stored := view.one_value("stored_parameters", model, context)) is not None
    ]
    if len(points) < LEAST or workload is None:
        return None
    look = Look(view.models)
    figure, (axes,) = canvas.new(4.2)
    for name in dict.fromkeys(family_of(model) for model, _, _ in points):
        own = sorted(
            (p for p in points if family_of(p[0]) == name), key=lambda p: (p[2].value, p[1])
        )
        for one, next_one in pairwise(own):
            axes.plot(
                [one[1] / MILLION, next_one[1] / MILLION],
                [one[2].value * 1e3, next_one[2].value * 1e3],
                color=canvas.MUTED,
                linewidth=1.2,
                zorder=1,
            )
    for place, (model, stored, row) in enumerate(points):
        axes.errorbar(
            [stored / MILLION],
            [row.value * 1e3],
            yerr=canvas.whiskers([row.value], [row.low], [row.high]) * 1e3,
            color=look.colour(model),
            marker=look.marker(model),
            markersize=8,
            capsize=4,
            linestyle="none",
        )
        axes.annotate(
            view.labels[model],
            (stored / MILLION, row.value * 1e3),
            xytext=(0, 11 if place % 2 else -19),
            textcoords="offset points",
            ha="center",
            color=look.colour(model),
            fontweight="bold",
        )
    _scales(axes, points)
    axes.set_xlabel("Stored parameters, million (log)")
    axes.set_ylabel(f"Latency at {workload_text(*workload)}, ms (log)")
    notes = (
        (
            "Across: what a model stores, counted. Up: what one forward takes, with its interval. "
            "Lines join the sizes of a family."
        ),
        (
            "Straight up from one point to another is more time for the same storage: what sharing "
            "layers costs."
        ),
    )
    alt = "Latency against stored parameters, both logarithmic, a point per model."
    return Drawn(_title(view, points), notes, figure, alt)


def family_of(model: str) -> str:
    """A model's name up to its size: `albert` of `albert-xlarge-v2`."""
    name = model.rsplit("/", 1)[-1]
    found = SIZES.search(name)
    return name[: found.start()] if found else name


def _scales(axes: Any, points: list[tuple[str, float, Any]]) -> None:
    spans = (
        (axes.set_xscale, axes.set_xlim, axes.xaxis, [p[1] / MILLION for p in points]),
        (
            axes.set_yscale,
            axes.set_ylim,
            axes.yaxis,
            [v * 1e3 for p in points for v in (p[2].value, p[2].low, p[2].high) if v > 0],
        ),
    )
    for scale, limits, axis, values in spans:
        scale("log")
        low, high = canvas.at_least(min(values), max(values))
        limits(low / 1.6, high * 1.6)
        canvas.plain_log(axis, canvas.log_ticks(low / 1.6, high * 1.6))


def _title(view: View, points: list[tuple[str, float, Any]]) -> str:
    """The two models of most different storage among those that take about the same time."""
    slowest = max(points, key=lambda p: p[2].value)
    fastest = min(points, key=lambda p: p[2].value)
    largest = max(points, key=lambda p: p[1])
    took = significant(slowest[2].value / fastest[2].value, 2)
    text = (
        f"From {view.names[fastest[0]]} to {view.names[slowest[0]]} a forward takes {took}× as long"
    )
    if largest[0] == slowest[0]:
        return text
    return (
        f"{text}, though {view.names[slowest[0]]} stores "
        f"{quantity(slowest[1], '1')} parameters and {view.names[largest[0]]} "
        f"{quantity(largest[1], '1')}"
    )
