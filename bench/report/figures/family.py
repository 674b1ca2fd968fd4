"""Stored parameters against latency, a point per model; lines join the sizes of a family."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.view import Context, View, at, workload_text
from bench.wording.numbers import fewer, ratio_text, significant

LEAST = 3
"""Fewer models make no family."""
SIZES = re.compile(r"-(tiny|mini|small|medium|base|large|xlarge|xxlarge)\b")
"""What distinguishes the sizes of a family in their names."""
MILLION = 1e6
ALIKE = 1.5
"""Times that are no further apart than this are about the same."""
NAMES = 10.0
"""Room for names to the right of the points, as a factor on the axis."""


def draw(view: View, context: Context) -> Drawn | None:
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
    for model, stored, row in points:
        bounds = (row.value * 1e3, row.low * 1e3, row.high * 1e3)
        place, marks = stored / MILLION, look.marks(model)
        canvas.point(axes, place, bounds, marks, upright=True, markersize=8, capsize=4)
    _scales(axes, points)
    axes.set_xlabel("Stored parameters, million (log)")
    axes.set_ylabel(f"Latency at {workload_text(*workload)}, ms (log)")
    names = [
        (stored / MILLION, row.value * 1e3, view.labels[model], look.colour(model))
        for model, stored, row in points
    ]
    canvas.point_labels(figure, axes, names)
    alt = "Latency against stored parameters, both logarithmic, a point per model."
    ratios = view.compared("latency", context)
    paired = {model: at(ratios, workload, model) for model, _, _ in points}
    return Drawn(_title(view, points, paired), (), figure, alt)


def family_of(model: str) -> str:
    """A model's name up to its size: `albert` of `albert-xlarge-v2`."""
    name = model.rsplit("/", 1)[-1]
    found = SIZES.search(name)
    return name[: found.start()] if found else name


def _scales(axes: Any, points: list[tuple[str, float, Any]]) -> None:
    spans = (
        (axes.set_xscale, axes.set_xlim, axes.xaxis, NAMES, [p[1] / MILLION for p in points]),
        (
            axes.set_yscale,
            axes.set_ylim,
            axes.yaxis,
            1.6,
            [v * 1e3 for p in points for v in (p[2].value, p[2].low, p[2].high) if v > 0],
        ),
    )
    for scale, limits, axis, room, values in spans:
        scale("log")
        low, high = canvas.at_least(min(values), max(values))
        limits(low / 1.6, high * room)
        canvas.plain_log(axis, canvas.log_ticks(low / 1.6, high * room))


def _title(view: View, points: list[tuple[str, float, Any]], paired: dict[str, Any]) -> str:
    """The largest difference in storage between two models that take about the same time.

    One of them the reference where there is such a pair: that ratio was measured in turn.
    """
    pairs = [
        (small, large)
        for small in points
        for large in points
        if small[1] < large[1] and 1 / ALIKE < small[2].value / large[2].value < ALIKE
    ]
    if not pairs:
        slowest = max(points, key=lambda p: p[2].value)
        fastest = min(points, key=lambda p: p[2].value)
        took = significant(slowest[2].value / fastest[2].value, 2)
        names = (view.names[p[0]] for p in (fastest, slowest))
        return "From {} to {} a forward takes {}× as long".format(*names, took)
    usual = [pair for pair in pairs if pair[1][0] == view.reference and paired[pair[0][0]]]
    small, large = max(usual or pairs, key=lambda pair: pair[1][1] / pair[0][1])
    took = f"about {significant(small[2].value / large[2].value, 2)}×"
    if usual:
        took = ratio_text(paired[small[0]])
    return (
        f"{view.names[small[0]]} stores {fewer(small[1] / large[1])} parameters than "
        f"{view.names[large[0]]}, and a forward of it takes {took} as long"
    )


FIGURE = Figure(
    title="Stored parameters against latency, of three models or more",
    explanation="Across: what a model stores, counted. Up: what one forward takes, with its "
    "interval. Straight up from one point to another is more time for the same storage: what "
    "sharing layers costs.",
    needs=("latency", "stored_parameters"),
    suites=("parameters", "latency"),
    place=Place.PARAMETERS,
    draw=draw,
)
