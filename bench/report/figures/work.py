"""From what is stored to what a forward takes: each quantity as a ratio to the reference."""

from __future__ import annotations

from typing import Any

from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.view import Context, View, at, workload_text
from bench.wording.numbers import interval_of, times
from bench.wording.sentences import stored_parameters

STORED, FLOPS = "Stored parameters", "FLOPs"
TIMES = {"cpu_time": "CPU time", "latency": "Latency"}
LADDER = {
    "stored_parameters": STORED,
    "weight_bytes": "Weight bytes",
    "applied_parameters.encoder": "Applied, encoder",
    "flops": FLOPS,
    "operators": "Operators",
    **TIMES,
    "peak_activation_bytes": "Peak activations",
}
"""Rows from top to bottom: metric and label."""
VARYING = ("flops", *TIMES, "peak_activation_bytes")
"""Metrics that depend on the workload."""


def draw(view: View, context: Context) -> Drawn | None:
    """A row per quantity that the run has, at one workload."""
    workload = view.workload("latency", context) or view.workload("flops", context)
    found = [
        (label, row)
        for metric, label in LADDER.items()
        for model in view.headlined
        if (row := _ratio(view, context, metric, model, workload)) is not None
    ]
    if len(found) < 2:
        return None
    look = Look(view.models)
    labels = list(dict.fromkeys(label for label, _ in found))
    figure, (axes,) = canvas.new(1.2 + 0.42 * len(labels))
    for label, row in found:
        place, bounds = labels.index(label), (row.ratio, row.low, row.high)
        end = canvas.ratio_bar(axes, place, bounds, look.marks(row.model), row.model)
        if len(view.headlined) == 1:
            canvas.beside(axes, end, place, times(*interval_of(row)))
    values = [v for _, r in found for v in (r.ratio, r.low, r.high) if v > 0]
    low, high = min(*values, 0.8) / 1.25, max(*values, 1.25) * 1.6
    canvas.ratio_rows(axes, labels, (low, high), canvas.log_ticks(low, high))
    axes.set_xlabel(f"× {view.labels[view.reference]} (log)")
    where = workload_text(*workload) if workload else "any workload"
    timed = any(label in TIMES.values() for label in labels)
    kinds = "Times have whiskers, their 95 % intervals; the rest is" if timed else "All are"
    notes = (f"At {where} on {context}. {kinds} counted exactly.",)
    alt = "Ratios to the reference, from what is stored to what a forward takes."
    return Drawn(_title(view, found), notes, figure, alt)


def _ratio(
    view: View, context: Context, metric: str, model: str, workload: tuple[int, int] | None
) -> Any | None:
    row = at(view.compared(metric, context), workload, model)
    if row is not None or metric in VARYING:
        return row
    return view.one_ratio(metric, model, context)


def _title(view: View, found: list[tuple[str, Any]]) -> str:
    model = found[0][1].model
    name, other = view.names[model], view.names[view.reference]
    ratios = {label: row.ratio for label, row in found if row.model == model}
    if STORED in ratios and FLOPS in ratios:
        stored, flops = ratios[STORED], ratios[FLOPS]
        return (
            f"{name} stores {stored_parameters(stored, other)}, and computes "
            f"{times(flops, flops, flops)} the FLOPs"
        )
    return f"What {name} stores and computes, against {other}"


FIGURE = Figure(
    title="From stored parameters to latency, as ratios",
    explanation="Each row is a ratio to the reference: 1 is as much, left of it is less. Storage "
    "falls where layers are shared; what is computed does not, since a shared layer runs as often "
    "as separate ones would.",
    needs=("stored_parameters",),
    suites=("parameters", "latency"),
    place=Place.QUESTIONS,
    draw=draw,
)
