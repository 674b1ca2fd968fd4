"""For up to three workloads: the share of samples at or below each latency."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.report.drawing import canvas, sample_panels
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.drawing.sample_panels import WIDE, Panel
from bench.report.view import Context, View, at, workload_text
from bench.wording.numbers import count, significant

STEPS = 120
"""Quantiles drawn per curve: enough for the eye, and a page of bounded size."""
BULK, BEYOND = 0.95, 0.5
"""The axis ends half a width beyond the range of the first 95 % of the samples."""


def draw(view: View, context: Context) -> Drawn | None:
    """A panel per workload, a curve per model."""
    panels = sample_panels.panels(view, context)
    if not panels:
        return None
    look = Look(view.models)
    figure, axes = sample_panels.new(panels, "% of samples at or below", "Latency, ms")
    total, latencies = 0, view.values("latency", context)
    for axis, (workload, cases) in zip(axes, panels, strict=True):
        walls: list[np.ndarray] = []
        for model, case in cases.items():
            wall = _walls_ms(view, case)
            total += len(wall)
            shares = np.linspace(0, 1, min(STEPS, max(len(wall), 2)))
            axis.plot(
                np.quantile(wall, shares), shares * 100, color=look.colour(model), linewidth=1.8
            )
            row: Any = at(latencies, workload, model)
            bounds = (row.value * 1e3, row.low * 1e3, row.high * 1e3)
            label = view.labels[model]
            canvas.point(axis, 50, bounds, look.marks(model), label=label, capsize=4, zorder=3)
            walls.append(wall)
        _frame(axis, walls)
        axis.set_yticks([0, 50, 100])
    canvas.models_below(figure, axes[0])
    notes = (f"All {total:,} samples of {count(len(panels), 'workload')} on {context}.",)
    alt = "Cumulative share of samples against latency in ms, a curve per model."
    return Drawn(_title(view, panels), notes, figure, alt)


def _walls_ms(view: View, case: str) -> np.ndarray:
    rows = view.samples_of(case)
    return rows.loc[rows["phase"] == "sample", "wall_s"].to_numpy() * 1e3


def _frame(axis: Any, walls: list[np.ndarray]) -> None:
    """Show where most samples lie; what lies beyond is counted above the panel."""
    low = min(float(w.min()) for w in walls)
    bulk = max(float(np.quantile(w, BULK)) for w in walls)
    top = max(float(w.max()) for w in walls)
    right = min(top, bulk + BEYOND * (bulk - low))
    beyond = sum(int((w > right).sum()) for w in walls)
    if low > 0 and right / low > WIDE:
        axis.set_xscale("log")
        axis.set_xlim(low / 1.05, right * 1.05)
        canvas.plain_log(axis.xaxis, canvas.log_ticks(low, right))
    else:
        pad = 0.03 * (right - low)
        if pad:
            axis.set_xlim(low - pad, right + (0 if beyond else pad))
        axis.xaxis.set_major_formatter(canvas.thousands())
    if beyond:
        text = f"{beyond:,} beyond, up to {significant(top)} →"
        axis.set_title(text, loc="right", fontsize=canvas.TEXT - 1.5, fontweight="normal")


def _title(view: View, panels: list[Panel]) -> str:
    worst, where, name = 0.0, "", ""
    for workload, cases in panels:
        for model, case in cases.items():
            wall = _walls_ms(view, case)
            middle = float(np.median(wall))
            factor = float(wall.max()) / middle if middle > 0 else 0.0
            if factor > worst:
                worst, where, name = factor, workload_text(*workload), view.names[model]
    if worst < 1.1:
        return "No sample is more than 10 % above its median"
    return f"The slowest sample took {significant(worst, 2)}× its median ({name}, {where})"


FIGURE = Figure(
    title="Distribution of the samples",
    explanation="The mark is the median with its 95 % interval. A steep curve is a steady machine, "
    "a long tail to the right is interference. No sample is dropped as an outlier: those beyond "
    "the right edge are counted above their panel. Warm-up, and the first forward after another "
    "model ran, are left out here.",
    needs=("latency",),
    suites=("latency",),
    place=Place.SAMPLES,
    draw=draw,
    leads=True,
)
