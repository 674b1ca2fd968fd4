"""Sequences per second by batch size at one length, and the paired ratio to the reference."""

from __future__ import annotations

import pandas as pd

from bench.report.conclusions import speed_conclusion
from bench.report.drawing import two_panels
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.view import Context, View


def draw(view: View, context: Context) -> Drawn | None:
    """Both panels at the sequence length with most batch sizes."""
    timed = two_panels.of_fixed_length(view.values("throughput_sequences", context))
    rows = two_panels.densest(timed, "seq_len", "batch_size", prefer=128)
    if rows.empty:
        return None
    length = int(rows["seq_len"].iloc[0])
    ratios = view.compared("throughput_sequences", context)
    ratios = ratios[ratios["seq_len"] == length]
    label = f"Sequences/s at {length} tokens"
    shown = two_panels.Panels(rows, ratios, "batch_size", "Batch size", label)
    title = speed_conclusion(view, ratios, "batch_size", inverse=True)
    notes = (
        f"Sequences of {length} tokens on {context}.",
        *_larger_batches(view, rows),
        *([two_panels.PAIRED] if len(ratios) else []),
    )
    models = two_panels.models_in(view, rows)
    return Drawn(
        title or two_panels.title_without_ratios(view, rows, "batch_size"),
        notes,
        two_panels.draw(view, shown),
        f"Sequences per second of {models} by batch size at {length} tokens.",
    )


def _larger_batches(view: View, rows: pd.DataFrame) -> list[str]:
    """How much more a model does a second in its largest batch than in its smallest."""
    found = []
    for model, table in rows.groupby("model", sort=False):
        first, last = table.iloc[0], table.iloc[-1]
        if first["batch_size"] != last["batch_size"]:
            found.append(
                f"{view.names[str(model)]} {last['value'] / first['value']:.2f}× from batch "
                f"{first['batch_size']} to {last['batch_size']}"
            )
    return [f"Larger batches raise sequences per second: {'; '.join(found)}."] if found else []


FIGURE = Figure(
    title="Sequences per second by batch size",
    explanation="Computed from the same samples as latency: batch size over the median time of a "
    "forward. Bands are 95 % intervals. Both axes are logarithmic.",
    needs=("throughput_sequences",),
    suites=("throughput",),
    place=Place.THROUGHPUT,
    draw=draw,
    leads=True,
    in_every_context=True,
)
