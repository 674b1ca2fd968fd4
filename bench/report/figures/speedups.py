"""Figures of gains: what each way to run a model gains, and what more threads bring."""

from __future__ import annotations

from typing import Any

from bench.report.figures import canvas
from bench.report.figures.canvas import Drawn, Look
from bench.report.view import PREFERRED, Context, View, workload_text
from bench.stats.speedups import Gain, gains
from bench.wording.numbers import significant

ROW = 0.3
"""Inches for a variant of one model."""


def variants(view: View, context: Context) -> Drawn | None:
    """How many times as fast each variant is as its reference, at one workload."""
    found = _of_one_workload([g for g in _gains(view, context) if not g.threads_compared])
    if not found:
        return None
    look = Look(view.models)
    labels = list(dict.fromkeys(g.label for g in found))
    models = [m for m in view.models if m in {g.model for g in found}]
    figure, (axes,) = canvas.new(1.4 + ROW * len(labels) * max(len(models), 1))
    for gain in found:
        spread = 0.5 * (models.index(gain.model) - (len(models) - 1) / 2) / len(models)
        _mark(axes, gain, labels.index(gain.label) + spread, look, view)
    axes.set_yticks(range(len(labels)), [t.replace(" compile-", "\ncompile-") for t in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xscale("log")
    low, high = _ends(found)
    axes.set_xlim(low, high)
    canvas.plain_log(axes.xaxis, canvas.log_ticks(low, high))
    axes.axvline(1.0, color=canvas.INK, linewidth=1.2)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"× as fast as {found[0].reference} (log)")
    if len(models) > 1:
        canvas.models_below(figure, axes)
    where = _where(found[0])
    notes = (
        (
            f"At {where}; right of 1 is faster. Whiskers are 95 % intervals. Every variant took "
            "turns with its reference in one process, and computes the same within what its dtype "
            "explains: the errors are in the table."
        ),
    )
    alt = f"Speed of each variant against {found[0].reference}, with intervals, for each model."
    return Drawn(_best(view, found, where), notes, figure, alt)


def scaling(view: View, context: Context) -> Drawn | None:
    """Speed-up by number of threads, at one workload."""
    found = _of_one_workload([g for g in _gains(view, context) if g.threads_compared])
    if not found:
        return None
    look = Look(view.models)
    figure, (axes,) = canvas.new(3.2)
    most = max(g.threads for g in found)
    axes.plot([1, most], [1, most], color=canvas.MUTED, linestyle="--", linewidth=1.2)
    ends = [(float(most), float(most), "ideal", canvas.MUTED)]
    for model in view.models:
        own = sorted((g for g in found if g.model == model), key=lambda g: g.threads)
        if not own:
            continue
        speeds = [1.0, *(g.speed for g in own)]
        bars = canvas.whiskers(speeds, [1.0, *(g.low for g in own)], [1.0, *(g.high for g in own)])
        axes.errorbar(
            [1, *(g.threads for g in own)],
            speeds,
            yerr=bars,
            color=look.colour(model),
            marker=look.marker(model),
            capsize=4,
        )
        ends.append((float(own[-1].threads), speeds[-1], view.labels[model], look.colour(model)))
    for scale, axis in ((axes.set_xscale, axes.xaxis), (axes.set_yscale, axes.yaxis)):
        scale("log")
        canvas.plain_log(axis, [2**n for n in range(most.bit_length()) if 2**n <= most])
    axes.set_xlabel("Threads (log)")
    axes.set_ylabel("× as fast as 1 thread")
    canvas.end_labels(figure, axes, ends)
    where = _where(found[0])
    top = max((g for g in found if g.threads == most), key=lambda g: g.speed)
    title = (
        f"At {where} {view.names[top.model]} runs {significant(top.speed)}× as fast on {most} "
        f"threads as on one: {top.efficiency:.0%} of a perfect speed-up"
    ).replace("%", " %")
    notes = ("Whiskers are 95 % intervals. All numbers of threads took turns in one process.",)
    return Drawn(title, notes, figure, "Speed against one thread by number of threads.")


def _gains(view: View, context: Context) -> list[Gain]:
    return [g for g in gains(view.summary, view.ratios) if g.device == context.device]


def _where(gain: Gain) -> str:
    text = workload_text(gain.workload.batch_size, gain.workload.seq_len)
    return ", ".join(filter(None, (text, gain.setting)))


def _of_one_workload(found: list[Gain]) -> list[Gain]:
    """The gains at the workload that is spoken of: the preferred one, or the middle one.

    Of several heads, caches or, for threads, variants the first: they are not compared.
    """
    found = [g for g in found if g.setting == found[0].setting]
    workloads = sorted({(g.workload.batch_size, g.workload.seq_len) for g in found})
    if not workloads:
        return []
    chosen = PREFERRED if PREFERRED in workloads else workloads[len(workloads) // 2]
    return [g for g in found if (g.workload.batch_size, g.workload.seq_len) == chosen]


def _mark(axes: Any, gain: Gain, place: float, look: Look, view: View) -> None:
    marks = (look.colour(gain.model), look.marker(gain.model))
    bounds = (gain.speed, gain.low, gain.high)
    end = canvas.ratio_mark(axes, place, bounds, marks, view.labels[gain.model])
    canvas.beside(axes, end, place, f"{significant(gain.speed)}×")


def _ends(found: list[Gain]) -> tuple[float, float]:
    values = [v for g in found for v in (g.speed, g.low, g.high) if v > 0]
    return min(*values, 0.8) / 1.15, max(*values, 1.25) * 1.4


def _best(view: View, found: list[Gain], where: str) -> str:
    faster = [g for g in found if g.is_faster]
    if not faster:
        return f"At {where} no variant is faster than {found[0].reference} beyond doubt"
    said: list[str] = []
    for model in view.models:
        own = [g for g in faster if g.model == model]
        if own:
            top = max(own, key=lambda g: g.speed)
            verb = "" if said else " runs fastest"
            said.append(f"{view.names[model]}{verb} as {top.label} ({significant(top.speed)}×)")
    return f"At {where} {', '.join(said)}"
