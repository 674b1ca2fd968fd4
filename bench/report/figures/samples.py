"""Figures of the samples themselves: how they are distributed, and their course over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from bench.report.figures import canvas
from bench.report.figures.canvas import Drawn, Look
from bench.report.view import Context, View, at, each, workload_text
from bench.stats.intervals import Interval, mean_interval
from bench.wording.numbers import Relation, count, percent, relation, significant

STEPS = 120
"""Quantiles drawn per curve: enough for the eye, and a page of bounded size."""
MOST_POINTS = 200
"""Samples drawn per model and workload in the course over time."""
LEAST_FOR_DRIFT = 8
"""Samples a repeat needs before its halves are compared."""
MOST_PANELS = 3
MOST_MODELS = 6
BULK, BEYOND = 0.95, 0.5
"""The axis ends half a width beyond the range of the first 95 % of the samples."""
WIDE = 4.0
"""From this factor between fastest and slowest sample the axis is logarithmic."""


def distribution(view: View, context: Context) -> Drawn | None:
    """For up to three workloads: the share of samples at or below each latency."""
    panels = _panels(view, context)
    if not panels:
        return None
    look = Look(view.models)
    figure, axes = canvas.new(1.0 + 1.65 * len(panels), len(panels))
    total, latencies = 0, view.values("latency", context)
    for axis, (workload, cases) in zip(axes, panels, strict=True):
        walls: list[np.ndarray] = []
        for model, case in cases.items():
            wall = _of(view, case, "sample")["wall_s"].to_numpy() * 1e3
            total += len(wall)
            shares = np.linspace(0, 1, min(STEPS, max(len(wall), 2)))
            x = np.quantile(wall, shares)
            colour = look.colour(model)
            axis.plot(x, shares * 100, color=colour, linewidth=1.8)
            _median(axis, at(latencies, workload, model), look, view.labels[model])
            walls.append(wall)
        _frame(axis, walls)
        axis.set_title(workload_text(*workload), fontsize=canvas.TEXT)
        axis.set_yticks([0, 50, 100])
    canvas.models_below(figure, axes[0])
    axes[-1].set_xlabel("Latency, ms")
    figure.supylabel("% of samples at or below", fontsize=canvas.TEXT, color=canvas.MUTED)
    notes = (
        (
            f"All {total:,} samples of {count(len(panels), 'workload')} on {context}; the mark is "
            "the median with its 95 % interval. A steep curve is a steady machine, a long tail to "
            "the right is interference."
        ),
        (
            "No sample is dropped as an outlier: those beyond the right edge are counted above "
            "their panel. Warm-up and the first forward after another model ran are recorded, and "
            "left out here."
        ),
    )
    alt = "Cumulative share of samples against latency in ms, a curve per model."
    return Drawn(_spread_title(view, panels), notes, figure, alt)


def course(view: View, context: Context) -> Drawn | None:
    """For up to three workloads: every forward in the order it ran, repeat after repeat."""
    panels = _panels(view, context)
    if not panels:
        return None
    look = Look(view.models)
    figure, axes = canvas.new(1.0 + 1.65 * len(panels), len(panels))
    thinned = 0
    for axis, (workload, cases) in zip(axes, panels, strict=True):
        for model, case in cases.items():
            thinned += _draw_course(axis, _of(view, case), look, (model, view.labels[model]))
        low, high = axis.dataLim.intervaly  # the view's own end, with its margin, may be below 0
        if low > 0 and high / low > WIDE:
            axis.set_yscale("log")
            canvas.plain_log(axis.yaxis, canvas.log_ticks(low, high, 4))
        else:
            axis.yaxis.set_major_formatter(canvas.thousands())
        axis.set_title(workload_text(*workload), fontsize=canvas.TEXT)
        axis.grid(visible=False, axis="x")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no half a forward
        axis.margins(x=0.01)
    canvas.models_below(figure, axes[0])
    axes[-1].set_xlabel("Forward, in the order they ran (lines: a fresh process)")
    figure.supylabel("Latency, ms", fontsize=canvas.TEXT, color=canvas.MUTED)
    title, tests = _drift(view, panels)
    notes = (
        (
            "Filled marks are samples, hollow ones warm-up and the first forward after another "
            "model ran. A slope within a repeat is drift; a step at a line is the luck of a "
            "process."
        ),
        *tests,
        f"Drawn: at most {MOST_POINTS} forwards per model and workload, evenly spread."
        if thinned
        else "Every forward is drawn.",
    )
    alt = "Latency in ms of each forward in the order they ran, with a line at each fresh process."
    return Drawn(title, notes, figure, alt)


def drift(samples: pd.DataFrame) -> Interval | None:
    """Second half of a repeat against its first half, as a ratio with its interval over repeats.

    None with fewer than two repeats of enough samples.
    """
    logs = []
    for _, repeat in samples.groupby("process"):
        wall, half = repeat["wall_s"].to_numpy(), len(repeat) // 2
        if len(wall) >= LEAST_FOR_DRIFT and (wall > 0).all():
            logs.append(float(np.log(np.median(wall[half:]) / np.median(wall[:half]))))
    if len(logs) < 2:
        return None
    found = mean_interval(logs)
    return Interval(*(float(np.exp(v)) for v in (found.value, found.low, found.high)))


def _draw_course(axis: Any, rows: pd.DataFrame, look: Look, model: tuple[str, str]) -> bool:
    """Draw one case; returns whether some forwards had to be left out."""
    name, label = model
    order = np.arange(len(rows))
    starts = order[1:][np.diff(rows["process"].to_numpy()) != 0]
    step = -(-len(rows) // MOST_POINTS)
    kept = rows.iloc[::step]
    x, wall = order[::step], kept["wall_s"].to_numpy() * 1e3
    sample = (kept["phase"] == "sample").to_numpy()
    colour, marker = look.colour(name), look.marker(name)
    axis.plot(x[sample], wall[sample], marker, color=colour, markersize=3.4, label=label)
    axis.plot(x[~sample], wall[~sample], marker, color=colour, markersize=3.4, fillstyle="none")
    for start in starts:
        axis.axvline(start - 0.5, color=canvas.GRID, linewidth=1)
    return step > 1


def _panels(view: View, context: Context) -> list[tuple[tuple[int, int], dict[str, str]]]:
    """The smallest, the usual and the largest timed workload, each with its case per model."""
    rows = view.values("latency", context)
    usual = view.workload("latency", context)
    if usual is None:
        return []
    found = sorted({(r.batch_size, r.seq_len) for r in each(rows)}, key=_size)
    chosen = sorted({found[0], usual, found[-1]}, key=_size)[:MOST_PANELS]
    panels = []
    for batch, length in chosen:
        own = rows[(rows["batch_size"] == batch) & (rows["seq_len"] == length)]
        by_model = dict(zip(own["model"], own["case"], strict=True))
        cases = {m: by_model[m] for m in view.models if m in by_model}
        panels.append(((batch, length), dict(list(cases.items())[:MOST_MODELS])))
    return panels


def _size(workload: tuple[int, int]) -> tuple[int, int]:
    return workload[0] * workload[1], workload[0]


def _of(view: View, case: str, phase: str | None = None) -> pd.DataFrame:
    rows = view.samples_of(case)
    return rows if phase is None else rows[rows["phase"] == phase]


def _median(axis: Any, row: Any, look: Look, label: str) -> None:
    """The median of a case's samples, with its interval."""
    bars = canvas.whiskers([row.value], [row.low], [row.high]) * 1e3
    axis.errorbar(
        [row.value * 1e3],
        [50],
        xerr=bars,
        color=look.colour(row.model),
        marker=look.marker(row.model),
        linestyle="none",
        capsize=4,
        linewidth=1.6,
        label=label,
        zorder=3,
    )


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


def _spread_title(view: View, panels: list[tuple[tuple[int, int], dict[str, str]]]) -> str:
    worst, where, name = 0.0, "", ""
    for workload, cases in panels:
        for model, case in cases.items():
            wall = _of(view, case, "sample")["wall_s"]
            factor = float(wall.max() / wall.median()) if wall.median() > 0 else 0.0
            if factor > worst:
                worst, where, name = factor, workload_text(*workload), view.names[model]
    if worst < 1.1:
        return "No sample is more than 10 % above its median"
    return f"The slowest sample took {significant(worst, 2)}× its median ({name}, {where})"


def _drift(
    view: View, panels: list[tuple[tuple[int, int], dict[str, str]]]
) -> tuple[str, list[str]]:
    """The title, and how many courses it was looked for in: one in twenty drifts by chance."""
    found = [
        (ratio, view.names[model], workload)
        for workload, cases in panels
        for model, case in cases.items()
        if (ratio := drift(_of(view, case, "sample"))) is not None
    ]
    if not found:
        return "Too few samples in a process to see whether latency drifts", []
    note = (
        f"Drift is the second half of a process against its first, looked for in "
        f"{count(len(found), 'course')}; with intervals of 95 %, about one in twenty shows it by "
        "chance."
    )
    drifting = [f for f in found if relation(f[0].low, f[0].high) in (Relation.MORE, Relation.LESS)]
    if not drifting:
        return "No drift of latency within a process was found", [note]
    ratio, name, workload = max(drifting, key=lambda f: abs(f[0].value - 1))
    word = "slower" if ratio.value > 1 else "faster"
    where = workload_text(*workload)
    rest = len(found) - len(drifting)
    ending = f"; no drift was found in {rest} of {count(len(found), 'course')}" if rest else ""
    return f"Within a process, {name} became {percent(ratio.value)} {word} at {where}{ending}", [
        note
    ]
