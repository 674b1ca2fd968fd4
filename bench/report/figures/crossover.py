"""Weights plus activations by tokens in a forward: where two models need the same memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.memory_need import Need, needs_of, tokens_of_equal_need
from bench.report.view import Context, View
from bench.wording.numbers import quantity, significant

MB = 1e6
FARTHEST = 1000
"""Times as many tokens as were counted: how far lines are drawn on to where they meet."""
LEAST_TOKENS = 1024
"""The axis reaches this far at least."""


def draw(view: View, context: Context) -> Drawn | None:
    """A line per model, on to where the first one meets the reference."""
    shown = (view.reference, *view.headlined)
    needs = {m: need for m, need in needs_of(view, context).items() if m in shown}
    others = [m for m in view.headlined if m in needs]
    if not others or view.reference not in needs:
        return None
    base = needs[view.reference]
    meeting = {m: x for m in others if (x := tokens_of_equal_need(needs[m], base)) is not None}
    figure, (axes,) = canvas.new(3.6)
    _lines(figure, axes, view, needs, list(meeting.values())[:1])
    notes = tuple(
        f"Each token costs {view.names[m]} {quantity(needs[m].per_token, 'B')} of activations and "
        f"{view.names[view.reference]} {quantity(base.per_token, 'B')}."
        for m in others
    )
    alt = "Weights plus peak activations in MB against tokens in one forward, a line per model."
    return Drawn(_title(view, needs, meeting), notes, figure, alt)


def _lines(
    figure: Any, axes: Any, view: View, needs: dict[str, Need], meeting: list[float]
) -> None:
    """Draw the lines, with a rule at each of the numbers of tokens in `meeting`."""
    look = Look(view.models)
    counted = max(need.tokens.max() for need in needs.values())
    right = max(counted, *(1.6 * x for x in meeting if x < FARTHEST * counted), LEAST_TOKENS)
    ends = []
    for model, need in needs.items():
        colour = look.colour(model)
        x = np.array([0.0, right])
        axes.plot(x, need.at(x) / MB, color=colour, linestyle=(0, (4, 3)), linewidth=1.4)
        inside = np.array([need.tokens.min(), need.tokens.max()])
        axes.plot(inside, need.at(inside) / MB, color=colour)
        axes.plot(need.tokens, need.bytes_needed / MB, look.marker(model), color=colour)
        ends.append((right, float(need.at(right)) / MB, view.labels[model], colour))
    for tokens in meeting:
        axes.axvline(tokens, color=canvas.MUTED, linewidth=1)
    axes.set_xlim(0, right)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(canvas.few_ticks())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(canvas.thousands())
    axes.set_xlabel("Tokens in one forward (batch size × length)")
    axes.set_ylabel("Weights + activations, MB")
    canvas.end_labels(figure, axes, ends)


def _title(view: View, needs: dict[str, Need], meeting: dict[str, float]) -> str:
    if meeting:
        model, tokens = next(iter(meeting.items()))
        name, other = view.names[model], view.names[view.reference]
        where = f"bove about {significant(tokens)} tokens in one forward"
        if tokens > max(need.tokens.max() for need in needs.values()):
            return f"By extrapolation, {name} needs more memory than {other} a{where}"
        return f"A{where}, {name} needs more memory than {other}"
    model = next(m for m in view.headlined if m in needs)
    own, base = needs[model], needs[view.reference]
    word = "less" if own.weights <= base.weights and own.per_token <= base.per_token else "more"
    return f"{view.names[model]} needs {word} memory than {view.names[view.reference]} at any size"


FIGURE = Figure(
    title="Weights and activations by tokens in a forward, of two models or more",
    explanation="Marks are counted. Dashed lines extrapolate at the same bytes per token, which "
    "the feed-forward’s temporaries set.",
    needs=("peak_activation_bytes", "weight_bytes"),
    suites=("memory",),
    place=Place.QUESTIONS,
    draw=draw,
)
