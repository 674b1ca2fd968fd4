"""Several runs on one page: side by side, or as a course where their fingerprints agree."""

from __future__ import annotations

import itertools
import math
from typing import Any

from bench.core.english import several
from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn
from bench.report.table import Table
from bench.report.view import CONTEXT, View, at, workload_text
from bench.wording.numbers import count, day, quantity, ratio_text

ALIKE = ("reference", "batch_size", "seq_len", *CONTEXT)
"""What ratios of two runs have to share for one to confirm or contradict the other."""
MOST_LISTED = 6
"""Differing facts named in a sentence; the table of environments has all."""


def fingerprint(view: View) -> str:
    """What must be equal for the seconds of two runs to be comparable."""
    found = view.run.environment.get("fingerprint") or {}
    return str(found.get("id") or sorted((str(k), str(v)) for k, v in found.items()))


def letters(views: list[View]) -> dict[str, str]:
    """A letter for each fingerprint, in order of first use."""
    kinds = dict.fromkeys(fingerprint(v) for v in views)
    names = (chr(ord("A") + i) if i < 26 else f"A{i}" for i in itertools.count())
    return dict(zip(kinds, names, strict=False))


def agreement(views: list[View]) -> list[str]:
    """Whether the runs can be compared in seconds, and what differs if not."""
    if len(letters(views)) == 1:
        return [
            (
                f"All {count(len(views), 'run')} have the same fingerprint (processor, threads, "
                "software): their seconds can be read as a course over time."
            )
        ]
    return [
        (
            f"The fingerprints differ ({several(_differing(views))}): compare ratios, which were "
            "each "
            "measured side by side, and not seconds. A difference between these runs is no "
            "regression."
        ),
        "Runs with the same letter share a fingerprint.",
    ]


def _differing(views: list[View]) -> list[str]:
    prints = [v.run.environment.get("fingerprint") or {} for v in views]
    keys = dict.fromkeys(k for p in prints for k in p if k != "id")
    found = [k.replace("_", " ") for k in keys if len({str(p.get(k)) for p in prints}) > 1]
    return found[:MOST_LISTED] or ["unnamed facts"]


def runs_table(views: list[View]) -> Table:
    """A row per run: when, where, and its main ratios."""
    letter = letters(views)
    rows = []
    for view in views:
        context = view.contexts[0]
        workload = view.workload("latency", context)
        base = at(view.values("latency", context), workload, view.reference)
        rows.append(
            [
                view.run.id,
                day(view.facts["started"]),
                letter[fingerprint(view)],
                *_ratios(view, workload),
                "–" if base is None else quantity(base.value, base.unit),
                workload_text(*workload) if workload else "–",
                view.facts["state"],
                several(list(view.weights)),
                str((view.run.environment.get("machine") or {}).get("cpu", "–")),
                str(context),
            ]
        )
    heads = ["Run", "Started", "Fingerprint", "Latency ratios", "Stored parameters"]
    heads += ["Reference latency", "Workload", "State", "Weights", "Processor", "Context"]
    return Table("runs-table", f"Runs ({len(views)})", heads, rows)


def _ratios(view: View, workload: tuple[int, int] | None) -> list[str]:
    context = view.contexts[0]
    latency, stored = [], []
    for model in view.others:
        row = at(view.compared("latency", context), workload, model)
        latency += [] if row is None else [f"{view.names[model]} {ratio_text(row)}"]
        size = view.one_ratio("stored_parameters", model, context)
        stored += [] if size is None else [f"{view.names[model]} {ratio_text(size)}"]
    return ["; ".join(latency) or "–", "; ".join(stored) or "–"]


EXPLANATION = (
    "The paired ratio of latency in each run with its 95 % interval, at the workload in the table. "
    "Lines join runs of one fingerprint."
)
"""How to read the figure of runs."""


def runs_figure(views: list[View]) -> Drawn | None:
    """The latency ratio of each run, joined by lines where fingerprints agree."""
    points = [p for place, view in enumerate(views) for p in _points(place, view)]
    if not points:
        return None
    models = list(dict.fromkeys(p[1] for p in points))
    names = {m: v.names[m] for v in views for m in v.models}
    labels_of = {m: v.labels[m] for v in views for m in v.models}
    order = list(dict.fromkeys(m for v in views for m in v.models))
    look, letter = Look(order), letters(views)
    figure, (axes,) = canvas.new(3.4)
    for model in models:
        for kind in letter:
            own = [p for p in points if p[1] == model and p[3] == kind]
            if own:
                _draw(axes, own, look, (model, labels_of[model] if kind == own[0][3] else ""))
    values = [v for p in points for v in (p[2].ratio, p[2].low, p[2].high) if v > 0]
    canvas.ratio_axis(axes, min(values), max(values))
    axes.set_xticks(
        range(len(views)), [f"{i + 1} ({letter[fingerprint(v)]})" for i, v in enumerate(views)]
    )
    axes.set_xlim(-0.4, len(views) - 0.6)
    axes.set_xlabel("Run, oldest first (its fingerprint)")
    axes.set_ylabel("Latency, × reference")
    canvas.models_below(figure, axes)
    alt = "Paired latency ratio with its interval for each run, oldest first."
    return Drawn(_title(points, models, names), (), figure, alt)


def _points(place: int, view: View) -> list[tuple[int, str, Any, str]]:
    context = view.contexts[0]
    rows, workload = view.compared("latency", context), view.workload("latency", context)
    found = ((m, at(rows, workload, m)) for m in view.others)
    return [(place, m, row, fingerprint(view)) for m, row in found if row is not None]


def _draw(
    axes: Any, points: list[tuple[int, str, Any, str]], look: Look, model: tuple[str, str]
) -> None:
    ratio = [p[2].ratio for p in points]
    axes.errorbar(
        [p[0] for p in points],
        ratio,
        yerr=canvas.whiskers(ratio, [p[2].low for p in points], [p[2].high for p in points]),
        color=look.colour(model[0]),
        marker=look.marker(model[0]),
        capsize=4,
        linewidth=1.6,
        label=model[1],
    )


def _title(
    points: list[tuple[int, str, Any, str]], models: list[str], names: dict[str, str]
) -> str:
    model = models[0]
    own = [p[2] for p in points if p[1] == model]
    name = names[model]
    alike = len({tuple(getattr(row, fact) for fact in ALIKE) for row in own}) == 1
    known = all(math.isfinite(row.low + row.high) for row in own)
    low, high = max(r.low for r in own), min(r.high for r in own)
    if len(own) < 2 or not alike or not known:
        return f"Latency of {name} against the reference, run by run"
    if low <= high:
        return f"The runs agree about {name}: their intervals have ratios in common"
    return f"The runs do not agree about {name}: no ratio lies in all their intervals"
