"""Measured latency against published accuracy, a point per model."""

from __future__ import annotations

from typing import Any

from bench.report import published
from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.view import Context, View, at, workload_text
from bench.stats.relation import judge_row
from bench.wording.verdicts import change

WIDE = 4.0
"""From this factor between the ends of all intervals the axis is logarithmic."""
SAME_SCORE = 0.05
"""Published averages have one decimal: closer than half of it is equal."""


def draw(view: View, context: Context) -> Drawn | None:
    """Latency at the usual workload against the published average score."""
    workload = view.workload("latency", context)
    rows = view.values("latency", context)
    points = [
        (model, row, found)
        for model in view.models
        if (row := at(rows, workload, model)) is not None
        and (found := published.of(model)) is not None
    ]
    if not points or workload is None:
        return None
    look = Look(view.models)
    figure, (axes,) = canvas.new(3.2)
    for model, row, found in points:
        y = found.scores["Average"]
        bounds = (row.value * 1e3, row.low * 1e3, row.high * 1e3)
        canvas.point(axes, y, bounds, look.marks(model), markersize=8, capsize=4)
        place = [p[0] for p in points].index(model)
        axes.annotate(
            view.labels[model],
            (row.value * 1e3, y),
            xytext=(0, 12 if place % 2 == 0 else -20),
            textcoords="offset points",
            ha="center",
            color=look.colour(model),
            fontweight="bold",
        )
    scores = [found.scores["Average"] for _, _, found in points]
    axes.set_ylim(min(scores) - 3, max(scores) + 3)
    _scale(axes, [v * 1e3 for _, r, _ in points for v in (r.value, r.low, r.high) if v > 0])
    axes.set_xlabel(f"Latency at {workload_text(*workload)}, ms")
    axes.set_ylabel("Published average, %")
    alt = "Published average score in percent against measured latency in ms, a point per model."
    return Drawn(_title(view, context, workload, points), (), figure, alt)


def _scale(axes: Any, values: list[float]) -> None:
    """A plain axis, or a logarithmic one where intervals are wide; names need room beside it."""
    axes.margins(x=0.25)
    low, high = min(values), max(values)
    if high > WIDE * low:
        axes.set_xscale("log")
        canvas.plain_log(axes.xaxis, canvas.log_ticks(low / 1.5, high * 1.5))
    else:
        axes.xaxis.set_major_formatter(canvas.thousands())
        axes.set_xlim(left=max(0.0, axes.get_xlim()[0]))


def _title(
    view: View,
    context: Context,
    workload: tuple[int, int],
    points: list[tuple[str, Any, published.Published]],
) -> str:
    scores = {model: found.scores["Average"] for model, _, found in points}
    names = [view.names[m] for m in scores]
    if view.reference not in scores or len(scores) < 2:
        return f"Published average of {names[0]}: {next(iter(scores.values()))} %"
    model = next(m for m in scores if m != view.reference)
    name, other = view.names[model], view.names[view.reference]
    away = scores[model] - scores[view.reference]
    if abs(away) < SAME_SCORE:
        score = f"{name} and {other} were published with the same average, {scores[model]} %"
    else:
        word = "above" if away > 0 else "below"
        score = f"{name} was published {abs(away):.1f} points {word} {other}"
    row = at(view.compared("latency", context), workload, model)
    if row is None:
        return score
    said = change(row)
    speed = f"{name} is {said} here" if judge_row(row).is_decided else f"speed here: {said}"
    return f"{score}; {speed}"


FIGURE = Figure(
    title="Measured latency against published accuracy",
    explanation="Across: latency measured in this run, with its interval. Up: the average over "
    "five tasks that the sources below published for fine-tuned models; this run measures no "
    "accuracy. The sources trained differently: tenths of a point between them mean little.",
    needs=("latency",),
    suites=("latency",),
    place=Place.ACCURACY,
    draw=draw,
    leads=True,
)
