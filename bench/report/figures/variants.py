"""How many times as fast each variant is as its reference, at one workload."""

from __future__ import annotations

from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.drawing.speedups import of_one_workload, shown, where
from bench.report.view import Context, View
from bench.stats.speedups import SpeedUp

ROW = 0.3
"""Inches for a variant of one model."""


def draw(view: View, context: Context) -> Drawn | None:
    """A row per variant, in which the models stand below each other."""
    found = of_one_workload(view, context, threads=False)
    if not found:
        return None
    look = Look(view.models)
    labels = list(dict.fromkeys(g.label for g in found))
    models = [m for m in view.models if m in {g.model for g in found}]
    figure, (axes,) = canvas.new(1.4 + ROW * len(labels) * max(len(models), 1))
    for one in found:
        spread = 0.5 * (models.index(one.model) - (len(models) - 1) / 2) / len(models)
        place = labels.index(one.label) + spread
        bounds = (one.speed, one.low, one.high)
        marks, name = look.marks(one.model), view.labels[one.model]
        end = canvas.ratio_bar(axes, place, bounds, marks, name)
        canvas.beside(axes, end, place, shown(one))
    values = [v for g in found for v in (g.speed, g.low, g.high) if v > 0]
    low, high = min(*values, 0.8) / 1.15, max(*values, 1.25) * 1.4
    rows = [text.replace(" compile-", "\ncompile-") for text in labels]
    canvas.ratio_rows(axes, rows, (low, high), canvas.log_ticks(low, high))
    reference = found[0].reference
    axes.set_xlabel(f"× as fast as {reference} (log)")
    if len(models) > 1:
        canvas.models_below(figure, axes)
    notes = (f"At {where(found[0])}.",)
    alt = f"Speed of each variant against {reference}, with intervals, for each model."
    return Drawn(_title(view, found), notes, figure, alt)


def _title(view: View, found: list[SpeedUp]) -> str:
    """The fastest variant of each model, of those whose whole interval is faster."""
    faster = [g for g in found if g.is_faster]
    if not faster:
        return f"At {where(found[0])} no variant is known to be faster than {found[0].reference}"
    said: list[str] = []
    for model in view.models:
        own = [g for g in faster if g.model == model]
        if own:
            top = max(own, key=lambda g: g.speed)
            verb = "" if said else " runs fastest"
            said.append(f"{view.names[model]}{verb} as {top.label} ({shown(top)})")
    return f"At {where(found[0])} {', '.join(said)}"


FIGURE = Figure(
    title="The speed-up of each variant",
    explanation="Right of 1 is faster; whiskers are 95 % intervals. Each variant took turns with "
    "its reference in one process, and its output equals the reference’s within what its dtype "
    "explains: the errors are in the table.",
    needs=("latency",),
    suites=("variants",),
    place=Place.VARIANTS,
    draw=draw,
    leads=True,
)
