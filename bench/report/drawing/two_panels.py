"""Estimates of each model with bands above, and paired ratios below, on one logarithmic x axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.core.case import OWN_LENGTHS
from bench.core.english import several
from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.view import View, each, workload_text
from bench.wording.numbers import TOO_WIDE, quantity

DODGE = 0.2
"""How far apart models stand at the same x, as a share of it, so that whiskers do not overlap.

Many of them stand closer, so that the last one of an x is nearer to it than to the next x.
"""
PAIRED = (
    "Compare the models in the lower panel: they ran in turn in one process, so that what slowed "
    "one slowed the other. An interval that contains 1 does not say which is faster, only how far "
    "apart they can be."
)


@dataclass(frozen=True)
class Panels:
    """What the panels show: rows of the summary and of the ratios, at `across` on the x axis.

    Values are multiplied by `scale` for the upper axis.
    """

    estimates: pd.DataFrame
    ratios: pd.DataFrame
    across: str
    across_label: str
    value_label: str
    scale: float = 1.0


def draw(view: View, shown: Panels) -> Any:
    """The figure; without ratios it has the upper panel alone."""
    compares = len(shown.ratios) > 0
    shares = {"height_ratios": [1.75, 1]} if compares else {}
    rows = 2 if compares else 1
    figure, axes = canvas.new(4.8 if compares else 2.9, rows, sharex=True, gridspec_kw=shares)
    _bands(axes[0], view, shown)
    if compares:
        _ratio_panel(axes[1], view, shown)
    ticks = sorted(shown.estimates[shown.across].unique())
    ticks = ticks if len(ticks) <= 8 else canvas.log_ticks(ticks[0], ticks[-1], 8)
    axes[-1].set_xscale("log")
    canvas.plain_log(axes[-1].xaxis, ticks)
    axes[-1].set_xlabel(shown.across_label)
    _end_names(axes[0], view, shown)
    return figure


def of_fixed_length(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without those of a text, whose sequences have no one length to stand at."""
    return rows[rows["seq_len"] != OWN_LENGTHS]


def densest(rows: pd.DataFrame, fixed: str, across: str, prefer: int) -> pd.DataFrame:
    """The rows of the one value of `fixed` that has most values of `across`."""
    if rows.empty:
        return rows
    reach = rows.groupby(fixed)[across].nunique()
    best = reach[reach == reach.max()].index
    chosen = prefer if prefer in best else best[len(best) // 2]
    return rows[rows[fixed] == chosen]


def bounded(rows: pd.DataFrame, estimate: str) -> tuple[float, float]:
    """The range of all estimates and of the intervals that mean anything.

    One too wide to do so leaves the panel rather than squeeze the others together.
    """
    known = rows[rows["high"] <= TOO_WIDE * rows["low"]]
    values = pd.concat([rows[estimate], known["low"], known["high"]]).to_numpy(dtype=float)
    values = values[np.isfinite(values) & (values > 0)]
    return float(values.min()), float(values.max())


def models_in(view: View, rows: pd.DataFrame) -> str:
    """The models that have rows, as a sentence calls them."""
    return several(view.names[str(m)] for m in rows["model"].unique())


def title_without_ratios(view: View, rows: pd.DataFrame, across: str) -> str:
    """The title where there is nothing to compare with: from where to where the model goes."""
    ends = rows.sort_values(across)
    ends = ends[ends["model"] == ends["model"].iloc[0]]
    first, last = (each(ends.iloc[[i]])[0] for i in (0, -1))
    name = view.names[str(first.model)]
    if len(ends) == 1:
        where = workload_text(first.batch_size, first.seq_len)
        return f"{name}: {quantity(first.value, first.unit)} at {where}"
    noun = "tokens" if across == "seq_len" else "sequences a batch"
    return (
        f"{name} goes from {quantity(first.value, first.unit)} at {getattr(first, across)} to "
        f"{quantity(last.value, last.unit)} at {getattr(last, across)} {noun}"
    )


def _bands(axes: Any, view: View, shown: Panels) -> None:
    look, scale = Look(view.models), shown.scale
    for model, found in shown.estimates.groupby("model", sort=False):
        name, colour = str(model), look.colour(str(model))
        x, value = found[shown.across].to_numpy(), found["value"].to_numpy() * scale
        low, high = found["low"].to_numpy() * scale, found["high"].to_numpy() * scale
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
        axes.plot(x, value, color=colour, marker=look.marker(name), label=view.labels[name])
        if len(x) == 1:
            bars = canvas.whiskers(value, low, high)
            axes.errorbar(x, value, yerr=bars, color=colour, capsize=3, fmt="none")
    axes.set_yscale("log")
    axes.set_ylabel(shown.value_label)
    bottom, top = bounded(shown.estimates, "value")
    pad = 1.08
    bottom, top = canvas.at_least(bottom * scale / pad, top * scale * pad)
    axes.set_ylim(bottom, top)
    canvas.plain_log(axes.yaxis, canvas.log_ticks(bottom, top, 6))


def _end_names(axes: Any, view: View, shown: Panels) -> None:
    look = Look(view.models)
    last = shown.estimates.sort_values(shown.across).groupby("model", sort=False).tail(1)
    names = [
        (
            row[shown.across],
            row["value"] * shown.scale,
            view.labels[row["model"]],
            look.colour(row["model"]),
        )
        for row in last.to_dict("records")
    ]
    canvas.end_labels(axes.figure, axes, names)


def _ratio_panel(axes: Any, view: View, shown: Panels) -> None:
    ratios = shown.ratios
    look, others = Look(view.models), [m for m in view.others if m in set(ratios["model"])]
    x = np.unique(ratios[shown.across])
    room = float((x[1:] / x[:-1]).min(initial=math.inf)) ** (1 / (len(others) + 1))
    for place, model in enumerate(others):
        found = ratios[ratios["model"] == model]
        shift = min(1 + DODGE, room) ** (place - (len(others) - 1) / 2)
        axes.errorbar(
            found[shown.across] * shift,
            found["ratio"],
            yerr=canvas.whiskers(found["ratio"], found["low"], found["high"]),
            color=look.colour(model),
            marker=look.marker(model),
            linestyle="none",
            capsize=4,
            linewidth=1.6,
        )
    canvas.ratio_axis(axes, *bounded(ratios, "ratio"))
    axes.set_ylabel(f"× {view.labels[view.reference]}")
