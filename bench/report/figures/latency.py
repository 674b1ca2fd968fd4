"""Latency by sequence length at one batch size, and the paired ratio to the reference."""

from __future__ import annotations

from bench.report.conclusions import speed_conclusion
from bench.report.drawing import two_panels
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.view import Context, View


def draw(view: View, context: Context) -> Drawn | None:
    """Both panels at the batch size with most sequence lengths."""
    timed = two_panels.of_fixed_length(view.values("latency", context))
    rows = two_panels.densest(timed, "batch_size", "seq_len", prefer=1)
    if rows.empty:
        return None
    batch = int(rows["batch_size"].iloc[0])
    ratios = two_panels.of_fixed_length(view.compared("latency", context))
    ratios = ratios[ratios["batch_size"] == batch]
    scale, unit = (1e3, "ms") if rows["value"].max() < 20 else (1.0, "s")
    label = f"Latency at batch {batch}, {unit}"
    shown = two_panels.Panels(rows, ratios, "seq_len", "Sequence length, tokens", label, scale)
    title = speed_conclusion(view, ratios, "seq_len")
    notes = (
        f"One forward at batch {batch} on {context}.",
        *([two_panels.PAIRED] if len(ratios) else []),
    )
    models = two_panels.models_in(view, rows)
    return Drawn(
        title or two_panels.title_without_ratios(view, rows, "seq_len"),
        notes,
        two_panels.draw(view, shown),
        f"Latency of {models} by sequence length at batch {batch}, with intervals.",
    )


FIGURE = Figure(
    title="Latency by sequence length",
    explanation="Points are medians of all samples, bands their 95 % intervals between fresh "
    "processes. Both axes are logarithmic.",
    needs=("latency",),
    suites=("latency",),
    place=Place.LATENCY,
    draw=draw,
    leads=True,
    in_every_context=True,
)
