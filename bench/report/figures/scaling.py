"""Speed-up by number of threads, at one workload."""

from __future__ import annotations

from bench.report.drawing import canvas
from bench.report.drawing.canvas import Look
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.drawing.speedups import of_one_workload, shown, where
from bench.report.view import Context, View


def draw(view: View, context: Context) -> Drawn | None:
    """A line per model from one thread up, beside the ideal."""
    found = of_one_workload(view, context, threads=True)
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
    top = max((g for g in found if g.threads == most), key=lambda g: g.speed)
    title = (
        f"At {where(found[0])} {view.names[top.model]} runs {shown(top)} as fast on "
        f"{most} threads as on one: {100 * top.efficiency:.0f} % of a perfect speed-up"
    )
    return Drawn(title, (), figure, "Speed against one thread by number of threads.")


FIGURE = Figure(
    title="Speed-up by number of threads",
    explanation="Whiskers are 95 % intervals. All numbers of threads took turns in one process.",
    needs=("latency",),
    suites=("scaling",),
    place=Place.VARIANTS,
    draw=draw,
)
