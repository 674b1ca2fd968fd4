"""Figures of size: parameters by part, stored against applied, and what a forward has to do."""

from __future__ import annotations

from typing import Any

from bench.report.figures import canvas
from bench.report.figures.canvas import Drawn, Look
from bench.report.view import Context, View, at, workload_text
from bench.wording.numbers import Relation, fewer, relation, significant

MILLION = 1e6
PARTS = ("embeddings", "mapping", "encoder", "pooler")
"""Parts of an encoder, in the order in which they are drawn; others come after them."""
SHADES = (1.0, 0.75, 0.45, 0.2, 0.6)
"""Opacity of each part."""
TIMES = ("CPU time", "Latency")
LADDER = (
    ("stored_parameters", "Stored parameters"),
    ("weight_bytes", "Weight bytes"),
    ("applied_parameters.encoder", "Applied, encoder"),
    ("flops", "FLOPs"),
    ("operators", "Operators"),
    *zip(("cpu_time", "latency"), TIMES, strict=True),
    ("peak_activation_bytes", "Peak activations"),
)
"""From what is stored to what is felt: metric and label."""


def parameters(view: View, context: Context) -> Drawn | None:
    """Parameters by part, stored against applied, one pair of bars per model."""
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
            "Counted exactly, so without intervals. The mapping leads up from embeddings narrower "
            "than the layers, where a model has such."
        ),
        (
            "Applied counts a layer once for each time it runs, which is what a forward has to "
            "compute; stored counts it once, which is what a disk has to hold."
        ),
    )
    alt = "Stacked bars of stored and applied parameters in millions by part, for each model."
    return Drawn(_parameters_title(view, context), notes, figure, alt)


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


def _parameters_title(view: View, context: Context) -> str:
    for model in view.others:
        stored = view.one_ratio("stored_parameters", model, context)
        applied = view.one_ratio("applied_parameters.encoder", model, context)
        if stored is None:
            continue
        name, other = view.names[model], view.names[view.reference]
        text = f"{name} stores {fewer(stored.ratio)} parameters than {other}"
        if abs(stored.ratio - 1) < 1e-9:
            text = f"{name} stores as many parameters as {other}"
        if applied is None:
            return text
        if relation(applied.low, applied.high) is Relation.EQUAL:
            return f"{text}, and its encoder applies as many"
        return f"{text}, and its encoder applies {fewer(applied.ratio)}"
    name = view.names[view.reference]
    found = view.one_value("stored_parameters", view.reference, context)
    return (
        f"{name}: parameters by part"
        if found is None
        else (f"{name} stores {significant(found.value / MILLION)} million parameters")
    )


def work(view: View, context: Context) -> Drawn | None:
    """The ladder from what is stored to what is felt, as ratios to the reference."""
    workload = view.workload("latency", context) or view.workload("flops", context)
    rungs = [
        (label, row)
        for metric, label in LADDER
        for model in view.headlined
        if (row := _rung(view, context, metric, model, workload)) is not None
    ]
    if len(rungs) < 2:
        return None
    look = Look(view.models)
    labels = list(dict.fromkeys(label for label, _ in rungs))
    figure, (axes,) = canvas.new(1.2 + 0.42 * len(labels))
    for label, row in rungs:
        spread = 0.22 * (view.headlined.index(row.model) - (len(view.headlined) - 1) / 2)
        _mark(axes, row, labels.index(label) + spread, look, alone=len(view.headlined) == 1)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xscale("log")
    values = [v for _, r in rungs for v in (r.ratio, r.low, r.high) if v > 0]
    low, high = min(*values, 0.8) / 1.25, max(*values, 1.25) * 1.6
    axes.set_xlim(low, high)
    canvas.plain_log(axes.xaxis, canvas.log_ticks(low, high))
    axes.axvline(1.0, color=canvas.INK, linewidth=1.2)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"× {view.labels[view.reference]} (log)")
    where = workload_text(*workload) if workload else "any workload"
    timed = any(label in TIMES for label in labels)
    kinds = "Times have whiskers, their 95 % intervals; the rest is" if timed else "All are"
    notes = (
        (
            f"Each row is a ratio to {view.names[view.reference]}, at {where} on {context}: 1 is "
            f"as much, left is less. {kinds} counted exactly."
        ),
        (
            "Storage falls where layers are shared. What is computed does not: a shared layer runs "
            "as often as separate ones would."
        ),
    )
    alt = "Ratios to the reference, from what is stored to what is felt."
    return Drawn(_work_title(view, rungs), notes, figure, alt)


def _rung(
    view: View, context: Context, metric: str, model: str, workload: tuple[int, int] | None
) -> Any | None:
    row = at(view.compared(metric, context), workload, model)
    if row is not None or metric in ("latency", "cpu_time", "peak_activation_bytes", "flops"):
        return row
    return view.one_ratio(metric, model, context)


def _mark(axes: Any, row: Any, place: float, look: Look, *, alone: bool) -> None:
    marks = (look.colour(row.model), look.marker(row.model))
    end = canvas.ratio_mark(axes, place, (row.ratio, row.low, row.high), marks, row.model)
    if alone:
        canvas.beside(axes, end, place, f"{significant(row.ratio)}×")


def _work_title(view: View, rungs: list[tuple[str, Any]]) -> str:
    model = rungs[0][1].model
    name, other = view.names[model], view.names[view.reference]
    found = {label: row.ratio for label, row in rungs if row.model == model}
    if "Stored parameters" in found and "FLOPs" in found:
        stored = fewer(found["Stored parameters"])
        if stored == "equally many":
            return f"{name} and {other} store equally many parameters"
        return (
            f"{name} stores {stored} parameters than {other}, and computes "
            f"{significant(found['FLOPs'], 4)}× the FLOPs"
        )
    return f"What {name} stores and does, against {other}"
