"""The paired latency ratio of every timed workload, a row each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bench.report.conclusions import speed_conclusion
from bench.report.drawing import canvas, two_panels
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.view import Context, View, each

MOST_RATIOS = 36
"""Rows of the figure; of more workloads those drawn are evenly spread."""
LEAST_HEIGHT = 2.4
"""Inches that the words along its side need, however few its rows."""


def draw(view: View, context: Context) -> Drawn | None:
    """One row per workload and model."""
    rows = view.compared("latency", context)
    if len(rows) < 2:
        return None
    drawn = _spread(rows, MOST_RATIOS)
    look = Look(view.models)
    figure, (axes,) = canvas.new(max(LEAST_HEIGHT, 1.3 + 0.27 * len(drawn)))
    for place, row in enumerate(each(drawn)):
        canvas.point(axes, place, (row.ratio, row.low, row.high), look.marks(row.model))
    low, high = canvas.ratio_limits(*two_panels.bounded(drawn, "ratio"))
    labels = [_label(view, row) for row in each(drawn)]
    canvas.ratio_rows(axes, labels, (low, high), canvas.ratio_ticks(low, high))
    axes.set_ylabel("Batch size × tokens")
    axes.set_xlabel(f"Time of one forward, × {view.labels[view.reference]} (log)")
    left_out = len(rows) - len(drawn)
    notes = (
        f"Shown: {len(drawn)} of {len(rows)} ratios, evenly spread; the table of cases has all."
        if left_out
        else "With this many 95 % intervals, about one in twenty misses by chance alone.",
    )
    return Drawn(
        speed_conclusion(view, rows, None) or "Every timed workload",
        notes,
        figure,
        "Ratio of latency to the reference with its interval, for each timed workload.",
    )


def _spread(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    if len(rows) <= most:
        return rows
    return rows.iloc[np.linspace(0, len(rows) - 1, most).round().astype(int)]


def _label(view: View, row: Any) -> str:
    name = f"{view.labels[row.model]}, " if len(view.others) > 1 else ""
    return f"{name}{row.batch_size} × {row.seq_len or 'text'}"


FIGURE = Figure(
    title="The paired ratio of every timed workload",
    explanation="One row per workload (batch size × tokens): the paired ratio of latency with its "
    "95 % interval. Right of the line is slower.",
    needs=("latency",),
    suites=("latency", "throughput"),
    place=Place.THROUGHPUT,
    draw=draw,
)
