"""Parameters by part, stored against applied, one pair of bars per model."""

from __future__ import annotations

from typing import Any

from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.view import Context, View
from bench.stats.relation import Relation, judge_row
from bench.wording.numbers import fewer, significant
from bench.wording.sentences import stored_parameters

MILLION = 1e6
PARTS = ("embeddings", "mapping", "encoder", "pooler")
"""Parts of an encoder, in the order in which they are drawn; others come after them."""
SHADES = (1.0, 0.75, 0.45, 0.2, 0.6)
"""Opacity of each part."""


def draw(view: View, context: Context) -> Drawn | None:
    """Two bars per model."""
    models = [m for m in view.models if view.one_value("stored_parameters", m, context)]
    if not models:
        return None
    look = Look(view.models)
    bars = [(m, kind) for m in models for kind in ("stored", "applied")]
    figure, (axes,) = canvas.new(1.2 + 0.5 * len(bars))
    places = [i + 0.5 * (i // 2) for i in range(len(bars))]
    for place, (model, kind) in zip(places, bars, strict=True):
        _stack(axes, view, context, (place, model, kind), look.colour(model))
    axes.set_yticks(places, [f"{view.labels[m]}, {kind}" for m, kind in bars])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set_xlabel("Million parameters")
    axes.set_xlim(0, axes.get_xlim()[1] * 1.12)
    _parts_legend(axes, _parts(view, "stored"))
    notes = (
        (
            "Applied counts a layer each time it runs, which is what a forward computes; stored "
            "counts it once, which is what a disk holds."
        ),
    )
    alt = "Stacked bars of stored and applied parameters in millions by part, for each model."
    return Drawn(_title(view, context), notes, figure, alt)


def _stack(
    axes: Any, view: View, context: Context, row: tuple[float, str, str], colour: str
) -> None:
    place, model, kind = row
    whole = view.one_value(f"{kind}_parameters", model, context)
    if whole is None:
        return
    left = 0.0
    for shade, part in zip(SHADES, _parts(view, kind), strict=False):
        found = view.one_value(f"{kind}_parameters.{part}", model, context)
        if found is None:
            continue
        size = found.value / MILLION
        axes.barh(place, size, left=left, color=colour, alpha=shade, height=0.8, linewidth=0)
        left += size
    total = whole.value / MILLION
    if not left:
        axes.barh(place, total, color=colour, height=0.8)
    axes.annotate(
        significant(total),
        (total, place),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontweight="bold",
    )


def _parts_legend(axes: Any, parts: list[str]) -> None:
    from matplotlib.patches import Patch

    shades = zip(SHADES, parts, strict=False)
    handles = [Patch(facecolor=canvas.MUTED, alpha=s, label=p, linewidth=0) for s, p in shades]
    if handles:
        axes.figure.legend(
            handles=handles, loc="outside lower center", ncols=4, handlelength=1, columnspacing=1.2
        )


def _parts(view: View, kind: str) -> list[str]:
    prefix = f"{kind}_parameters."
    names = view.summary["metric"][view.summary["metric"].str.startswith(prefix)].unique()
    found = [str(n).removeprefix(prefix) for n in names]
    return sorted(found, key=lambda p: (PARTS.index(p) if p in PARTS else len(PARTS), p))


def _title(view: View, context: Context) -> str:
    for model in view.others:
        stored = view.one_ratio("stored_parameters", model, context)
        applied = view.one_ratio("applied_parameters.encoder", model, context)
        if stored is None:
            continue
        name, other = view.names[model], view.names[view.reference]
        text = f"{name} stores {stored_parameters(stored.ratio, other)}"
        if applied is None:
            return text
        if judge_row(applied).relation is Relation.EQUAL:
            return f"{text}, and its encoder applies as many"
        return f"{text}, and its encoder applies {fewer(applied.ratio)}"
    name = view.names[view.reference]
    found = view.one_value("stored_parameters", view.reference, context)
    return (
        f"{name}: parameters by part"
        if found is None
        else (f"{name} stores {significant(found.value / MILLION)} million parameters")
    )


FIGURE = Figure(
    title="Parameters by part, stored against applied",
    explanation="Counted exactly, so without intervals. The mapping leads up from embeddings that "
    "are narrower than the layers, where a model has such.",
    needs=("stored_parameters",),
    suites=("parameters",),
    place=Place.PARAMETERS,
    draw=draw,
    leads=True,
)
