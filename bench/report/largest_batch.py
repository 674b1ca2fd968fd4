"""The largest batch that fits, as `bench run capacity` found it, in a table."""

from __future__ import annotations

from bench.core.metrics import LARGEST
from bench.report.table import Table
from bench.report.view import View, each
from bench.wording.numbers import quantity, ratio_text
from bench.wording.verdicts import setting

COLUMNS = [
    "Model",
    "Device",
    "Tokens",
    "Largest batch",
    "Against the reference",
    "Peak memory",
    "Limit",
]


def table(view: View) -> Table | None:
    """A row per case of the suite; None where nothing was looked for."""
    found = each(view.values(LARGEST))
    if not found:
        return None
    sizes = {
        (row.case, row.metric): quantity(row.value, "B")
        for name in ("capacity_peak_bytes", "memory_limit_bytes")
        for row in each(view.values(name))
    }
    ratios = {row.case: ratio_text(row) for row in each(view.compared(LARGEST))}
    rows = [
        [
            view.names[row.model],
            f"{row.device}{setting(row)}",
            str(row.seq_len),
            f"{row.value:,.0f}",
            ratios.get(row.case, ""),
            sizes.get((row.case, "capacity_peak_bytes"), ""),
            sizes.get((row.case, "memory_limit_bytes"), "the device’s memory"),
        ]
        for row in found
    ]
    return Table(
        "capacity",
        "Largest batch that fits",
        COLUMNS,
        rows,
        {2, 3, 4, 5},
        note="Found by doubling and bisection, each batch in a fresh process. Memory is that of "
        "the whole process on the CPU, libraries included, and what torch’s allocator holds on "
        "CUDA.",
    )
