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
            speedup.label,
            view.names[speedup.model],
            speedup.device,
            str(speedup.workload.batch_size),
            str(speedup.workload.seq_len),
            quantity(speedup.latency_s, "s"),
            speed_up(speedup),
            speedup.reference,
            "" if speedup.error is None else f"{speedup.error:.1g}",
            "" if speedup.compile_s is None else quantity(speedup.compile_s, "s"),
            "" if speedup.artifact is None else quantity(speedup.artifact, "B"),
        ]
        for speedup in view.analysis.speedups
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
