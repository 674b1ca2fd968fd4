"""The section on variants and threads: the speed-up of each over its reference, and its error."""

from __future__ import annotations

from bench.report.table import Table
from bench.report.view import View
from bench.wording.numbers import quantity
from bench.wording.sentences import speed_up, speed_up_sentences

COLUMNS = [
    "Run as",
    "Model",
    "Device",
    "Batch",
    "Tokens",
    "Latency",
    "Speed against it",
    "Reference",
    "Relative error",
    "Compilation",
    "File",
]
HOW = (
    "A variant is timed only after its output was found to equal that of float32 eager on the same "
    "weights, within what its dtype explains. Variants that this machine cannot run are in the "
    "table of cases, with the reason."
)


def intro(view: View) -> list[str]:
    """What was found, in sentences, and how to read it."""
    found = view.analysis.speedups
    if not found:
        return []
    return [*speed_up_sentences(found), HOW]


def table(view: View) -> Table | None:
    """Every compared variant and number of threads; None where nothing was compared."""
    rows = [
        [
            gain.label,
            view.names[gain.model],
            gain.device,
            str(gain.workload.batch_size),
            str(gain.workload.seq_len),
            quantity(gain.latency_s, "s"),
            speed_up(gain),
            gain.reference,
            "" if gain.error is None else f"{gain.error:.1g}",
            "" if gain.compile_s is None else quantity(gain.compile_s, "s"),
            "" if gain.artifact is None else quantity(gain.artifact, "B"),
        ]
        for gain in view.analysis.speedups
    ]
    if not rows:
        return None
    return Table(
        "speedups",
        "Variants and threads against their reference",
        COLUMNS,
        rows,
        {3, 4, 5, 6, 8, 9, 10},
        note="Speed is how many times as fast, with its 95 % interval. Compilation is the first "
        "forward, which compiles. File is the exported model on disk.",
    )
