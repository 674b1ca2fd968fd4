"""The look of every figure: size, type, one colour and marker per model, labels beside lines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

INK, MUTED, GRID = "#1f2328", "#57606a", "#d7dade"
MODEL_COLOURS = ("#0b5cad", "#b8430a", "#00705a", "#8a3a8f", "#7a6400", "#5b6b7a")
"""Okabe and Ito's hues, darkened until text in them reads on white (4.5:1 and more)."""
MARKERS = ("o", "s", "^", "D", "v", "P")
WIDTH = 6.0
"""Inches; at 72 per inch the figure fits a phone with text that can still be read."""
RATIO_ROOM = 1.02
"""An axis of ratios shows at least this much on either side of 1."""
MOST_DECADES = 99
"""More than any axis has, so that none of them is left out before there are too many ticks."""
TEXT = 12.5
"""Points, the same as SVG units here."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
    "text.parse_math": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.5,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@dataclass(frozen=True)
class Look:
    """Colour and marker per model, the same in every figure of a page."""

    models: Sequence[str]

    def colour(self, model: str) -> str:
        """The model's colour; with more models than colours they come round again."""
        return MODEL_COLOURS[self.models.index(model) % len(MODEL_COLOURS)]

    def marks(self, model: str) -> tuple[str, str]:
        """The model's colour and marker."""
        return self.colour(model), self.marker(model)

    def marker(self, model: str) -> str:
        """The model's marker; it shifts when colours come round, so pairs stay distinct."""
        place = self.models.index(model)
        return MARKERS[(place + place // len(MODEL_COLOURS)) % len(MARKERS)]


@contextmanager
def style() -> Iterator[None]:
    """Draw and save in the page's style; glyphs that the drawing font lacks are the reader's."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def new(height: float, rows: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of the page's width with one column of axes."""
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.subplots(rows, 1, squeeze=False, **options)
    return figure, [row[0] for row in axes]


def plain_log(axis: Any, ticks: Sequence[float] = ()) -> None:
    """A log axis labelled with plain numbers, at `ticks` where they are given."""
    if len(ticks):
        axis.set_ticks(list(ticks))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(thousands())
    axis.set_minor_formatter(NullFormatter())


def log_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten) that cover a range, not too many."""
    if high / low < 4:
        ticks = MaxNLocator(nbins=most, steps=[1, 2, 5, 10]).tick_values(low, high)
        return [float(t) for t in ticks if low <= t <= high]
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = LogLocator(subs=steps, numticks=MOST_DECADES).tick_values(low, high)
        inside = [float(t) for t in ticks if low * 0.999 <= t <= high * 1.001]
        if len(inside) <= most:
            break
    return inside[:: -(-len(inside) // most)]


def whiskers(value: Any, low: Any, high: Any) -> Any:
    """Lengths below and above for errorbar; none where a bound is unknown."""
    value, low, high = (np.asarray(x, dtype=float) for x in (value, low, high))
    return np.nan_to_num(np.maximum([value - low, high - value], 0.0))


Marks = tuple[str, str]
"""Colour and marker."""
Bounds = tuple[float, float, float]
"""Estimate, low and high."""


def point(
    axes: Axes, place: float, bounds: Bounds, marks: Marks, *, upright: bool = False, **options: Any
) -> None:
    """A mark at an estimate across, with whiskers to its bounds, and at `place` up.

    `upright`: the estimate is up and `place` across.
    """
    value, low, high = bounds
    error = whiskers([value], [low], [high])
    x, y = ([place], [value]) if upright else ([value], [place])
    look = {"linestyle": "none", "capsize": 3, "linewidth": 1.6, **options}
    look["yerr" if upright else "xerr"] = error
    axes.errorbar(x, y, color=marks[0], marker=marks[1], **look)


def ratio_bar(axes: Axes, place: float, bounds: Bounds, marks: Marks, name: str) -> float:
    """A ratio with its interval on a row of its own, as a bar from 1; returns its right end.

    `name` is what a legend calls it.
    """
    value, _, high = bounds
    axes.plot([1, value], [place, place], color=marks[0], alpha=0.3, linewidth=5)
    point(axes, place, bounds, marks, label=name)
    return max(v for v in (value, high, 1.0) if v > 0)


def ratio_rows(
    axes: Axes, labels: Sequence[str], limits: tuple[float, float], ticks: Sequence[float]
) -> None:
    """Rows of ratios from top to bottom, over one logarithmic axis with a line at 1."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.3, -0.7)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    plain_log(axes.xaxis, ticks)
    axes.axvline(1.0, color=INK, linewidth=1.2)
    axes.grid(visible=False, axis="y")


def beside(axes: Axes, end: float, place: float, text: str) -> None:
    """A value written to the right of its mark."""
    axes.annotate(text, (end, place), xytext=(8, 0), textcoords="offset points", va="center")


def end_labels(figure: Figure, axes: Axes, labels: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each (x, y, text, colour) to the right of its point, moved apart where they collide."""
    if not labels:
        return
    figure.draw_without_rendering()
    spacing = TEXT * 1.25 * figure.dpi / 72
    placed: list[float] = []
    for x, y, text, colour in sorted(labels, key=lambda found: found[1]):
        at = float(axes.transData.transform((x, y))[1])
        lift = max(at, placed[-1] + spacing) if placed else at
        placed.append(lift)
        axes.annotate(
            text,
            (x, y),
            xytext=(9, (lift - at) * 72 / figure.dpi),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
        )


PLACES = tuple((dx, dy) for dy in (-10, 10, -24, 24, -38, 38) for dx in (9, -9))
"""Where a point's name may stand, in points from it: the nearest place that is free is taken."""


def point_labels(
    figure: Figure, axes: Axes, labels: Sequence[tuple[float, float, str, str]]
) -> None:
    """Write each (x, y, text, colour) beside its point, where it covers no other name or point."""
    from matplotlib.transforms import Bbox

    figure.draw_without_rendering()
    size = TEXT * figure.dpi / 72
    taken = []
    for x, y, _, _ in labels:
        left, bottom = axes.transData.transform((x, y)) - size / 2
        taken.append(Bbox.from_bounds(left, bottom, size, size))
    for x, y, text, colour in labels:
        for dx, dy in PLACES:
            name = axes.annotate(
                text,
                (x, y),
                xytext=(dx, dy),
                textcoords="offset points",
                ha="left" if dx > 0 else "right",
                va="center",
                color=colour,
                fontweight="bold",
            )
            box = name.get_window_extent()
            free = not any(box.overlaps(other) for other in taken)
            if (free and box.x0 >= axes.bbox.x0) or (dx, dy) == PLACES[-1]:
                taken.append(box)
                break
            name.remove()


def ratio_limits(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis of ratios: 1, every whisker, and a little room beyond."""
    low, high = min(low, 1 / RATIO_ROOM), max(high, RATIO_ROOM)
    pad = (high / low) ** 0.08
    return low / pad, high * pad


def at_least(low: float, high: float, factor: float = 1.6) -> tuple[float, float]:
    """Ends of a log axis widened to a factor, so that small differences do not look large."""
    widen = max(1.0, factor / (high / low)) ** 0.5
    return low / widen, high * widen


def models_below(figure: Figure, axes: Axes) -> None:
    """A legend of the models below all panels, where it hides no sample."""
    handles, labels = axes.get_legend_handles_labels()
    kept = dict(zip(labels, handles, strict=True))
    figure.legend(kept.values(), kept.keys(), loc="outside lower center", ncols=3, handlelength=1.0)


def ratio_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis of ratios around a line at 1, wide enough for its whiskers."""
    low, high = ratio_limits(low, high)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    plain_log(axes.yaxis, ratio_ticks(low, high))
    axes.axhline(1.0, color=INK, linewidth=1.2)


def ratio_ticks(low: float, high: float) -> list[float]:
    """Ticks of a ratio axis: always 1, and steps that suit the range."""
    if high / low > 3:
        return sorted({1.0, *log_ticks(low, high)})
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / s <= 6 or s == 0.5)
    first = int(np.ceil((low - 1) / step))
    last = int(np.floor((high - 1) / step))
    return [round(1 + i * step, 4) for i in range(first, last + 1)]


def few_ticks() -> MaxNLocator:
    """A handful of round ticks."""
    return MaxNLocator(nbins=5)


def thousands() -> FuncFormatter:
    """Whole numbers with separators, as the prose writes them."""
    return FuncFormatter(lambda value, _: f"{value:,.10g}")
