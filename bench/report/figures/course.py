"""For up to three workloads: every forward in the order it ran, process after process."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from bench.report.drawing import canvas, sample_panels
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.drawing.sample_panels import WIDE, Panel
from bench.report.view import Context, View, workload_text
from bench.stats.intervals import Interval, mean_interval
from bench.stats.relation import Judgement, judge
from bench.wording.numbers import count, percent
from bench.wording.verdicts import word

MOST_POINTS = 200
"""Samples drawn per model and workload."""
LEAST_FOR_DRIFT = 8
"""Samples a process needs before its halves are compared."""


def draw(view: View, context: Context) -> Drawn | None:
    """A panel per workload, a mark per forward, a line at each fresh process."""
    panels = sample_panels.panels(view, context)
    if not panels:
        return None
    look = Look(view.models)
    across = "Forward, in the order they ran (lines: a fresh process)"
    figure, axes = sample_panels.new(panels, "Latency, ms", across)
    thinned = 0
    for axis, (_, cases) in zip(axes, panels, strict=True):
        for model, case in cases.items():
            rows, marks = view.samples_of(case), look.marks(model)
            thinned += _draw_course(axis, rows, marks, view.labels[model])
        low, high = axis.dataLim.intervaly  # the view's own end, with its margin, may be below 0
        if low > 0 and high / low > WIDE:
            axis.set_yscale("log")
            canvas.plain_log(axis.yaxis, canvas.log_ticks(low, high, 4))
        else:
            axis.yaxis.set_major_formatter(canvas.thousands())
        axis.grid(visible=False, axis="x")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no half a forward
        axis.margins(x=0.01)
    canvas.models_below(figure, axes[0])
    title, tests = _drift(view, panels)
    shown = (
        f"Shown: at most {MOST_POINTS} forwards per model and workload, evenly spread."
        if thinned
        else "Every forward is shown."
    )
    alt = "Latency in ms of each forward in the order they ran, with a line at each fresh process."
    return Drawn(title, (*tests, shown), figure, alt)


def drift(samples: pd.DataFrame) -> Judgement | None:
    """Second half of a process against its first half, as a ratio with its interval over processes.

    None with fewer than two processes of enough samples.
    """
    logs = []
    for _, process in samples.groupby("process"):
        wall, half = process["wall_s"].to_numpy(), len(process) // 2
        if len(wall) >= LEAST_FOR_DRIFT and (wall > 0).all():
            logs.append(float(np.log(np.median(wall[half:]) / np.median(wall[:half]))))
    if len(logs) < 2:
        return None
    found = mean_interval(logs)
    ratio = Interval(*(float(np.exp(v)) for v in (found.value, found.low, found.high)))
    return judge(ratio, len(logs))


def _draw_course(axis: Any, rows: pd.DataFrame, marks: tuple[str, str], label: str) -> bool:
    """Draw one case; returns whether some forwards had to be left out."""
    order = np.arange(len(rows))
    starts = order[1:][np.diff(rows["process"].to_numpy()) != 0]
    step = -(-len(rows) // MOST_POINTS)
    kept = rows.iloc[::step]
    x, wall = order[::step], kept["wall_s"].to_numpy() * 1e3
    sample = (kept["phase"] == "sample").to_numpy()
    colour, marker = marks
    axis.plot(x[sample], wall[sample], marker, color=colour, markersize=3.4, label=label)
    axis.plot(x[~sample], wall[~sample], marker, color=colour, markersize=3.4, fillstyle="none")
    for start in starts:
        axis.axvline(start - 0.5, color=canvas.GRID, linewidth=1)
    return step > 1


def _samples(view: View, case: str) -> pd.DataFrame:
    rows = view.samples_of(case)
    return rows[rows["phase"] == "sample"]


def _drift(view: View, panels: list[Panel]) -> tuple[str, list[str]]:
    """The title, and how many courses it was looked for in: one in twenty drifts by chance."""
    found = [
        (ratio, view.names[model], workload)
        for workload, cases in panels
        for model, case in cases.items()
        if (ratio := drift(_samples(view, case))) is not None
    ]
    if not found:
        return "Too few samples in a process to see whether latency drifts", []
    note = (
        f"Drift is the second half of a process against its first, looked for in "
        f"{count(len(found), 'course')}; with intervals of 95 %, about one in twenty shows it by "
        "chance."
    )
    drifting = [f for f in found if f[0].is_decided]
    if not drifting:
        return "No drift of latency within a process was found", [note]
    most, name, workload = max(drifting, key=lambda f: abs(f[0].interval.value - 1))
    of = most.interval
    words = f"{percent(of.value, of.low, of.high)} {word(most)}"
    where = workload_text(*workload)
    rest = len(found) - len(drifting)
    ending = f"; no drift was found in {rest} of {count(len(found), 'course')}" if rest else ""
    return f"Within a process, {name} became {words} at {where}{ending}", [note]


FIGURE = Figure(
    title="The samples in the order they ran",
    explanation="Filled marks are samples, hollow ones warm-up and the first forward after another "
    "model ran. A slope within a process is drift; a step at a line is a difference between "
    "processes.",
    needs=("latency",),
    suites=("latency",),
    place=Place.SAMPLES,
    draw=draw,
)
