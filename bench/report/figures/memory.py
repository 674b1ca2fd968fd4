"""Weights and peak activations per workload and model, stacked, and the measured peak."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.view import Context, View, at
from bench.wording.numbers import smaller

MB = 1e6
MOST_WORKLOADS = 6
PEAKS = {"peak_rss_bytes": "peak RSS", "cuda_peak_allocated_bytes": "CUDA peak allocated"}
"""What the process or device held at most: metric and words."""


def draw(view: View, context: Context) -> Drawn | None:
    """A bar per workload and model."""
    activations = view.values("peak_activation_bytes", context)
    if activations.empty:
        return None
    pairs = sorted({(b, s) for b, s in zip(*_workload(activations), strict=True)}, key=_tokens)
    workloads = pairs if len(pairs) <= MOST_WORKLOADS else _thin(pairs)
    look = Look(view.models)
    bars = [(w, m) for w in workloads for m in view.models if at(activations, w, m) is not None]
    figure, (axes,) = canvas.new(1.5 + 0.36 * len(bars) + 0.18 * len(workloads))
    marks, places = _peak_rows(view, context), []
    for place, (workload, model) in zip(_places(bars), bars, strict=True):
        _bar(axes, view, context, (place, workload, model), look)
        peak = at(marks[1], workload, model)
        if peak is not None:
            _peak_mark(axes, place, peak)
        places.append(place)
    axes.set_yticks(places, [f"{view.labels[m]}  {w[0]} × {w[1]}" for w, m in bars])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("Memory, MB")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(canvas.thousands())
    _legend(axes, marks[0])
    notes = (
        f"The diamond is the {marks[0]} with its 95 % interval: what the system saw, allocator and "
        "temporary copies included."
        if marks[0]
        else "No peak of the whole process was measured.",
        *_thinned(len(pairs), len(workloads)),
    )
    alt = "Stacked bars of weights and peak activations in MB for each workload and model."
    return Drawn(_memory_title(view, context, workloads), notes, figure, alt)


def _memory_title(view: View, context: Context, workloads: list[tuple[int, int]]) -> str:
    weights = view.one_ratio("weight_bytes", view.others[0], context) if view.others else None
    rows = view.compared("peak_activation_bytes", context)
    row = at(rows, workloads[-1], view.others[0]) if view.others else None
    if weights is None or row is None:
        return f"{view.names[view.reference]}: weights and the activations of each workload"
    name, other = view.names[row.model], view.names[view.reference]
    return (
        f"{name}’s weights are {smaller(weights.ratio)}{_than(weights.ratio)} {other}’s, its peak "
        f"activations {smaller(row.ratio)}"
    )


def _than(ratio: float) -> str:
    return " as" if math.isclose(ratio, 1.0, rel_tol=1e-9) else " than"


def _workload(rows: pd.DataFrame) -> tuple[list[int], list[int]]:
    return rows["batch_size"].tolist(), rows["seq_len"].tolist()


def _tokens(workload: tuple[int, int]) -> tuple[int, int]:
    return workload[0] * workload[1], workload[0]


def _thin(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    places = np.linspace(0, len(pairs) - 1, MOST_WORKLOADS).round().astype(int)
    return [pairs[i] for i in places]


def _thinned(found: int, drawn: int) -> list[str]:
    if drawn == found:
        return []
    return [f"Shown: {drawn} of {found} workloads, evenly spread; the table of cases has all."]


def _places(bars: list[tuple[tuple[int, int], str]]) -> list[float]:
    """Where bars stand: side by side within a workload, with a gap between workloads."""
    places, at_place, before = [], 0.0, None
    for workload, _ in bars:
        at_place += 0.0 if before is None else (1.0 if workload == before else 1.5)
        places.append(at_place)
        before = workload
    return places


def _bar(
    axes: Any, view: View, context: Context, row: tuple[float, tuple[int, int], str], look: Look
) -> None:
    place, workload, model = row
    colour = look.colour(model)
    weights = view.one_value("weight_bytes", model, context)
    counted = at(view.values("peak_activation_bytes", context), workload, model)
    held = 0.0 if weights is None else weights.value / MB
    axes.barh(place, held, color=colour, height=0.8)
    if counted is not None:
        axes.barh(
            place,
            counted.value / MB,
            left=held,
            height=0.8,
            facecolor="none",
            edgecolor=colour,
            hatch="////",
            linewidth=1.2,
        )


def _peak_rows(view: View, context: Context) -> tuple[str, pd.DataFrame]:
    for metric, words in PEAKS.items():
        rows = view.values(metric, context)
        if len(rows):
            return words, rows
    return "", view.values(next(iter(PEAKS)), context)


def _peak_mark(axes: Any, place: float, peak: Any) -> None:
    bounds = (peak.value / MB, peak.low / MB, peak.high / MB)
    canvas.point(axes, place, bounds, (canvas.INK, "D"), markersize=5, linewidth=1.3)


def _legend(axes: Any, peak: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(facecolor=canvas.MUTED, label="weights"),
        Patch(facecolor="none", edgecolor=canvas.MUTED, hatch="////", label="activations"),
    ]
    if peak:
        handles.append(Line2D([], [], color=canvas.INK, marker="D", markersize=5, label=peak))
    axes.figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=1.4)


FIGURE = Figure(
    title="Weights and peak activations, stacked",
    explanation="Solid is weights, hatched the peak of activations alive at once: both are "
    "counted, so they have no interval. Rows are batch size × tokens.",
    needs=("peak_activation_bytes",),
    suites=("memory",),
    place=Place.MEMORY,
    draw=draw,
    leads=True,
    in_every_context=True,
)
