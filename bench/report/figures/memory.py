"""Figures of memory: weights and activations stacked, and where the smaller model needs more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.report.figures import canvas
from bench.report.figures.canvas import Drawn, Look
from bench.report.view import Context, View, at
from bench.wording.numbers import quantity, significant, smaller

MB = 1e6
MOST_WORKLOADS = 6
PEAKS = (
    ("peak_rss_bytes", "peak RSS"),
    ("cuda_peak_allocated_bytes", "CUDA peak allocated"),
)
"""What the process or device really held at most: metric and words."""


def memory(view: View, context: Context) -> Drawn | None:
    """Weights and peak activations per workload and model, stacked, and the measured peak."""
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
        (
            "Solid is weights, hatched is the peak of activations alive at once; both are "
            "counted, so they have no interval. Rows are batch size × tokens."
        ),
        f"The diamond is the {marks[0]} with its 95 % interval: what the system saw, allocator and "
        "temporary copies included."
        if marks[0]
        else "No peak of the whole process was measured.",
        *_thinned(len(pairs), len(workloads)),
    )
    alt = "Stacked bars of weights and peak activations in MB for each workload and model."
    return Drawn(_memory_title(view, context, workloads), notes, figure, alt)


FARTHEST = 1000
"""Times as many tokens as were counted: how far lines are drawn on to where they meet."""


def crossover(view: View, context: Context) -> Drawn | None:
    """Weights plus activations by tokens in a batch: where two models need the same."""
    drawn = (view.reference, *view.headlined)
    lines = {m: line for m, line in need_lines(view, context).items() if m in drawn}
    if len(lines) < 2 or view.reference not in lines:
        return None
    look = Look(view.models)
    meeting = {m: found for m in view.headlined if m in lines and (found := meet(view, lines, m))}
    measured = max(line.tokens.max() for line in lines.values())
    spoken_of = list(meeting.values())[:1]  # the title's
    right = max(measured, *(1.6 * x for x in spoken_of if x < FARTHEST * measured), 1024)
    figure, (axes,) = canvas.new(3.6)
    ends = []
    for model, line in lines.items():
        colour = look.colour(model)
        x = np.array([0.0, right])
        axes.plot(x, line.at(x) / MB, color=colour, linestyle=(0, (4, 3)), linewidth=1.4)
        inside = np.array([line.tokens.min(), line.tokens.max()])
        axes.plot(inside, line.at(inside) / MB, color=colour)
        axes.plot(line.tokens, line.need / MB, look.marker(model), color=colour)
        ends.append((right, float(line.at(right)) / MB, view.labels[model], colour))
    for tokens in spoken_of:
        axes.axvline(tokens, color=canvas.MUTED, linewidth=1)
    axes.set_xlim(0, right)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(canvas.few_ticks())
    axes.xaxis.set_major_formatter(canvas.thousands())
    axes.yaxis.set_major_formatter(canvas.thousands())
    axes.set_xlabel("Tokens in one forward (batch size × length)")
    axes.set_ylabel("Weights + activations, MB")
    canvas.end_labels(figure, axes, ends)
    notes = (
        (
            "Marks are counted; dashed lines go on at the same bytes per token, which the "
            "feed-forward’s temporaries set."
        ),
        *(_slope_note(view, lines, m) for m in view.headlined if m in lines),
    )
    alt = "Weights plus peak activations in MB against tokens in one forward, a line per model."
    return Drawn(_crossover_title(view, lines, meeting), notes, figure, alt)


@dataclass(frozen=True)
class Line:
    """Weights plus activations of a model as counted (bytes), and the line they lie on."""

    tokens: np.ndarray
    need: np.ndarray
    weights: float
    per_token: float

    def at(self, tokens: Any) -> Any:
        """Bytes at a number of tokens."""
        return self.weights + self.per_token * np.asarray(tokens, dtype=float)


def need_lines(view: View, context: Context) -> dict[str, Line]:
    """For each model with counted activations: what a forward needs, by tokens."""
    activations = view.values("peak_activation_bytes", context)
    found = {}
    for model in view.models:
        own = activations[activations["model"] == model]
        weights = view.one_value("weight_bytes", model, context)
        if own.empty or weights is None:
            continue
        tokens = (own["batch_size"] * own["seq_len"]).to_numpy(dtype=float)
        counted = own["value"].to_numpy(dtype=float)
        per_token = float((tokens * counted).sum() / (tokens**2).sum())
        found[model] = Line(tokens, counted + weights.value, float(weights.value), per_token)
    return found


def meet(view: View, lines: dict[str, Line], model: str) -> float | None:
    """Tokens above which a model that stores less needs more than the reference, if any."""
    own, other = lines[model], lines[view.reference]
    steeper, heavier = own.per_token - other.per_token, other.weights - own.weights
    return heavier / steeper if steeper > 0 and heavier > 0 else None


def _slope_note(view: View, lines: dict[str, Line], model: str) -> str:
    own, other = lines[model], lines[view.reference]
    return (
        f"Each token costs {view.names[model]} {quantity(own.per_token, 'B')} of activations and "
        f"{view.names[view.reference]} {quantity(other.per_token, 'B')}."
    )


def _crossover_title(view: View, lines: dict[str, Line], meeting: dict[str, float]) -> str:
    if meeting:
        model, tokens = next(iter(meeting.items()))
        name, other = view.names[model], view.names[view.reference]
        where = f"bove about {significant(tokens)} tokens in one forward"
        if tokens > max(line.tokens.max() for line in lines.values()):
            return f"By extrapolation, {name} needs more memory than {other} a{where}"
        return f"A{where}, {name} needs more memory than {other}"
    model = next(m for m in view.headlined if m in lines)
    own, base = lines[model], lines[view.reference]
    word = "less" if own.weights <= base.weights and own.per_token <= base.per_token else "more"
    return f"{view.names[model]} needs {word} memory than {view.names[view.reference]} at any size"


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
    return [f"Drawn: {drawn} of {found} workloads, evenly spread; all are in the table of cases."]


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
    for metric, words in PEAKS:
        rows = view.values(metric, context)
        if len(rows):
            return words, rows
    return "", view.values("peak_rss_bytes", context)


def _peak_mark(axes: Any, place: float, peak: Any) -> None:
    bars = canvas.whiskers([peak.value], [peak.low], [peak.high]) / MB
    axes.errorbar(
        [peak.value / MB],
        [place],
        xerr=bars,
        color=canvas.INK,
        marker="D",
        markersize=5,
        capsize=3,
        linestyle="none",
        linewidth=1.3,
    )


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
