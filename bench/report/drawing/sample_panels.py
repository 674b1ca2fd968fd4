"""The panels of figures of samples: up to three workloads, each with its case per model."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from bench.report.drawing import canvas
from bench.report.view import Context, View, each, workload_text

MOST_PANELS = 3
MOST_MODELS = 6
WIDE = 4.0
"""From this factor between the ends of an axis it is logarithmic."""

Panel = tuple[tuple[int, int], dict[str, str]]
"""A workload, and by model the id of its case."""


def panels(view: View, context: Context) -> list[Panel]:
    """The smallest, the usual and the largest timed workload, each with its case per model."""
    rows = view.values("latency", context)
    usual = view.workload("latency", context)
    if usual is None:
        return []
    found = sorted({(r.batch_size, r.seq_len) for r in each(rows)}, key=_size)
    chosen = sorted({found[0], usual, found[-1]}, key=_size)[:MOST_PANELS]
    found_panels = []
    for batch, length in chosen:
        own = rows[(rows["batch_size"] == batch) & (rows["seq_len"] == length)]
        by_model = dict(zip(own["model"], own["case"], strict=True))
        cases = {m: by_model[m] for m in view.models if m in by_model}
        found_panels.append(((batch, length), dict(list(cases.items())[:MOST_MODELS])))
    return found_panels


def _size(workload: tuple[int, int]) -> tuple[int, int]:
    return workload[0] * workload[1], workload[0]


def new(panels: list[Panel], up: str, across: str) -> tuple[Figure, list[Any]]:
    """A figure with axes for each panel, titled by its workload."""
    figure, axes = canvas.new(1.0 + 1.65 * len(panels), len(panels))
    for axis, (workload, _) in zip(axes, panels, strict=True):
        axis.set_title(workload_text(*workload), fontsize=canvas.TEXT)
    axes[-1].set_xlabel(across)
    figure.supylabel(up, fontsize=canvas.TEXT, color=canvas.MUTED)
    return figure, axes
