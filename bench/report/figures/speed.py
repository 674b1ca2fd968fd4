"""Figures of speed: latency by sequence length, throughput by batch size, every timed ratio."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from bench.core.case import OWN_LENGTHS
from bench.core.english import several
from bench.report.conclusions import speed_conclusion
from bench.report.figures import canvas
from bench.report.figures.canvas import Drawn, Look
from bench.report.view import Context, View, each, workload_text
from bench.wording.numbers import quantity
from bench.wording.sentences import TOO_WIDE

MOST_RATIOS = 36
"""Rows of the figure of all ratios; with more workloads they are drawn evenly spread."""
LEAST_HEIGHT = 2.4
"""Inches that this figure needs for what is written along its side, however few its rows."""
DODGE = 0.2
"""How far apart models stand at the same x, as a share of it, so that whiskers do not overlap.

Many of them stand closer, so that the last one of an x is nearer to it than to the next x.
"""
BANDS = (
    "Points are medians of all samples; bands are 95 % intervals from the spread between fresh "
    "processes, which holds the luck of each process as well as the noise within it."
)
PAIRED = (
    "The lower panel is the comparison to trust: the models ran in turn in the same process, so "
    "what slowed one slowed the other. A whisker that crosses 1 means no difference was found; a "
    "long one, that the run could hardly have found any."
)


def latency(view: View, context: Context) -> Drawn | None:
    """Latency by sequence length at the batch size with most lengths, and its paired ratio."""
    timed = of_fixed_length(view.values("latency", context))
    rows = _densest(timed, "batch_size", "seq_len", prefer=1)
    if rows.empty:
        return None
    batch = int(rows["batch_size"].iloc[0])
    ratios = of_fixed_length(view.compared("latency", context))
    ratios = ratios[ratios["batch_size"] == batch]
    scale = 1e3 if rows["value"].max() < 20 else 1.0
    figure = _two_panels(
        view,
        (rows, ratios),
        "seq_len",
        (f"Latency at batch {batch}, {'ms' if scale > 1 else 's'}", scale),
        "Sequence length, tokens",
    )
    title = speed_conclusion(view, ratios, "seq_len") or _alone(view, rows, "seq_len")
    notes = (
        (
            f"Time of one forward at batch {batch} on {context}, by sequence length; both axes are "
            "logarithmic."
        ),
        BANDS,
        *([PAIRED] if len(ratios) else []),
    )
    alt = f"Latency of {_spoken(view, rows)} by sequence length at batch {batch}, with intervals."
    return Drawn(title, notes, figure, alt)


def throughput(view: View, context: Context) -> Drawn | None:
    """Sequences per second by batch size at the length with most batch sizes, and its ratio."""
    timed = of_fixed_length(view.values("throughput_sequences", context))
    rows = _densest(timed, "seq_len", "batch_size", prefer=128)
    if rows.empty:
        return None
    length = int(rows["seq_len"].iloc[0])
    ratios = view.compared("throughput_sequences", context)
    ratios = ratios[ratios["seq_len"] == length]
    figure = _two_panels(
        view, (rows, ratios), "batch_size", (f"Sequences/s at {length} tokens", 1.0), "Batch size"
    )
    title = speed_conclusion(view, ratios, "batch_size", inverse=True)
    notes = (
        (
            f"Sequences of {length} tokens per second on {context}, by batch size; both axes are "
            "logarithmic. Derived from the same samples as latency: batch size divided by the "
            "median time of a forward."
        ),
        _gain(view, rows),
        *([PAIRED.replace("1 means", "1, as many a second, means")] if len(ratios) else []),
    )
    alt = f"Sequences per second of {_spoken(view, rows)} by batch size at {length} tokens."
    kept = tuple(n for n in notes if n)
    return Drawn(title or _alone(view, rows, "batch_size"), kept, figure, alt)


def of_fixed_length(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without those of a text, whose sequences have no one length to stand at."""
    return rows[rows["seq_len"] != OWN_LENGTHS]


def ratios(view: View, context: Context) -> Drawn | None:
    """Every paired latency ratio with its interval, one row per workload and model."""
    rows = view.compared("latency", context)
    if len(rows) < 2:
        return None
    drawn = _spread(rows, MOST_RATIOS)
    look = Look(view.models)
    figure, (axes,) = canvas.new(max(LEAST_HEIGHT, 1.3 + 0.27 * len(drawn)))
    for place, row in enumerate(each(drawn)):
        _ratio_point(axes, row, place, look)
    labels = [_row_label(view, r) for r in each(drawn)]
    axes.set_yticks(range(len(drawn)), labels)
    axes.set_ylim(len(drawn) - 0.3, -0.7)
    axes.set_xscale("log")
    low, high = canvas.ratio_limits(*_bounded(drawn, "ratio"))
    axes.set_xlim(low, high)
    canvas.plain_log(axes.xaxis, canvas.ratio_ticks(low, high))
    axes.axvline(1.0, color=canvas.INK, linewidth=1.2)
    axes.grid(visible=False, axis="y")
    axes.set_ylabel("Batch size × tokens")
    axes.set_xlabel(f"Time of one forward, × {view.labels[view.reference]} (log)")
    left_out = len(rows) - len(drawn)
    notes = (
        (
            f"One row per workload (batch size × tokens) on {context}: the paired ratio of latency "
            "and its 95 % interval. Right of the line is slower."
        ),
        f"Drawn: {len(drawn)} of {len(rows)} ratios, evenly spread; all are in the table of cases."
        if left_out
        else "With this many intervals of 95 %, about one in twenty misses by chance alone.",
    )
    return Drawn(
        speed_conclusion(view, rows, None) or "Every timed workload",
        notes,
        figure,
        "Ratio of latency to the reference with its interval, for each timed workload.",
    )


def _densest(rows: pd.DataFrame, fixed: str, across: str, prefer: int) -> pd.DataFrame:
    """The rows of the one value of `fixed` that has most values of `across`."""
    if rows.empty:
        return rows
    reach = rows.groupby(fixed)[across].nunique()
    best = reach[reach == reach.max()].index
    chosen = prefer if prefer in best else best[len(best) // 2]
    return rows[rows[fixed] == chosen]


def _two_panels(
    view: View,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    across: str,
    upper: tuple[str, float],
    below: str,
) -> Any:
    """Estimates with bands above, paired ratios with whiskers below, on one x axis."""
    rows, ratios = tables
    shares = {"height_ratios": [1.75, 1]} if len(ratios) else {}
    panels = 2 if len(ratios) else 1
    figure, axes = canvas.new(2.9 + 1.9 * (panels - 1), panels, sharex=True, gridspec_kw=shares)
    _bands(axes[0], view, rows, across, upper[1])
    axes[0].set_ylabel(upper[0])
    if len(ratios):
        _ratio_panel(axes[1], view, ratios, across)
    ticks = sorted(rows[across].unique())
    ticks = ticks if len(ticks) <= 8 else canvas.log_ticks(ticks[0], ticks[-1], 8)
    axes[-1].set_xscale("log")
    canvas.plain_log(axes[-1].xaxis, ticks)
    axes[-1].set_xlabel(below)
    _end_names(axes[0], view, rows, across, upper[1])
    return figure


def _bands(axes: Any, view: View, rows: pd.DataFrame, across: str, scale: float) -> None:
    look = Look(view.models)
    for model, found in rows.groupby("model", sort=False):
        name, colour = str(model), look.colour(str(model))
        x, value = found[across].to_numpy(), found["value"].to_numpy() * scale
        low, high = found["low"].to_numpy() * scale, found["high"].to_numpy() * scale
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
        axes.plot(x, value, color=colour, marker=look.marker(name), label=view.labels[name])
        if len(x) == 1:
            bars = canvas.whiskers(value, low, high)
            axes.errorbar(x, value, yerr=bars, color=colour, capsize=3, fmt="none")
    axes.set_yscale("log")
    bottom, top = _bounded(rows, "value")
    pad = 1.08
    bottom, top = canvas.at_least(bottom * scale / pad, top * scale * pad)
    axes.set_ylim(bottom, top)
    canvas.plain_log(axes.yaxis, canvas.log_ticks(bottom, top, 6))


def _end_names(axes: Any, view: View, rows: pd.DataFrame, across: str, scale: float) -> None:
    look = Look(view.models)
    last = rows.sort_values(across).groupby("model", sort=False).tail(1)
    canvas.end_labels(
        axes.figure,
        axes,
        [
            (
                row[across],
                row["value"] * scale,
                view.labels[row["model"]],
                look.colour(row["model"]),
            )
            for row in last.to_dict("records")
        ],
    )


def _ratio_panel(axes: Any, view: View, ratios: pd.DataFrame, across: str) -> None:
    look, others = Look(view.models), [m for m in view.others if m in set(ratios["model"])]
    x = np.unique(ratios[across])
    room = float((x[1:] / x[:-1]).min(initial=math.inf)) ** (1 / (len(others) + 1))
    for place, model in enumerate(others):
        found = ratios[ratios["model"] == model]
        shift = min(1 + DODGE, room) ** (place - (len(others) - 1) / 2)
        axes.errorbar(
            found[across] * shift,
            found["ratio"],
            yerr=canvas.whiskers(found["ratio"], found["low"], found["high"]),
            color=look.colour(model),
            marker=look.marker(model),
            linestyle="none",
            capsize=4,
            linewidth=1.6,
        )
    canvas.ratio_axis(axes, *_bounded(ratios, "ratio"))
    axes.set_ylabel(f"× {view.labels[view.reference]}")


def _ratio_point(axes: Any, row: Any, place: float, look: Look) -> None:
    bars = canvas.whiskers([row.ratio], [row.low], [row.high])
    axes.errorbar(
        [row.ratio],
        [place],
        xerr=bars,
        color=look.colour(row.model),
        marker=look.marker(row.model),
        linestyle="none",
        capsize=3,
        linewidth=1.6,
    )


def _bounded(rows: pd.DataFrame, estimate: str) -> tuple[float, float]:
    """The range of all estimates and of the intervals that mean anything.

    One too wide to do so leaves the panel rather than squeeze the others together.
    """
    known = rows[rows["high"] <= TOO_WIDE * rows["low"]]
    values = pd.concat([rows[estimate], known["low"], known["high"]]).to_numpy(dtype=float)
    values = values[np.isfinite(values) & (values > 0)]
    return float(values.min()), float(values.max())


def _spread(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    if len(rows) <= most:
        return rows
    return rows.iloc[np.linspace(0, len(rows) - 1, most).round().astype(int)]


def _row_label(view: View, row: Any) -> str:
    name = f"{view.labels[row.model]}, " if len(view.others) > 1 else ""
    return f"{name}{row.batch_size} × {row.seq_len or 'text'}"


def _spoken(view: View, rows: pd.DataFrame) -> str:
    return several(view.names[str(m)] for m in rows["model"].unique())


def _alone(view: View, rows: pd.DataFrame, across: str) -> str:
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


def _gain(view: View, rows: pd.DataFrame) -> str:
    """What batching brings, per model."""
    found = []
    for model, table in rows.groupby("model", sort=False):
        first, last = table.iloc[0], table.iloc[-1]
        if first["batch_size"] == last["batch_size"]:
            continue
        gain = last["value"] / first["value"]
        found.append(
            f"{view.names[str(model)]} {gain:.2f}× from batch {first['batch_size']} to "
            f"{last['batch_size']}"
        )
    return (
        f"What larger batches bring in sequences per second: {'; '.join(found)}." if found else ""
    )
