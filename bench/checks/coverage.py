"""`bench selftest --coverage`: how often intervals and sentences are right, on recorded noise."""

from __future__ import annotations

from rich.table import Table

from bench.core.paths import RESULTS
from bench.core.suite import PROFILES
from bench.runner.runner import INTERIM_EVERY
from bench.stats.coverage import PROCESSES, TRUTHS, Rule, recorded, simulate
from bench.terminal.progress import console

RUNS = 400
"""Simulated runs of each rule: the coverage of a workload is then known within 2 points."""


def main() -> int:
    """Simulate runs on the noise of every baseline, and print what became of them."""
    sampling = PROFILES["full"].sampling
    stops = Rule(sampling.processes, sampling.precision, sampling.min_processes, INTERIM_EVERY)
    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("noise of", "processes", "hold the truth", "half width"):
        table.add_column(name)
    for truth in TRUTHS:
        table.add_column(f"wrong at {truth:.2f}")
    for row in simulate(recorded(RESULTS / "baselines"), RUNS, [*map(Rule, PROCESSES), stops]):
        table.add_row(
            row.baseline,
            row.rule,
            _share(row.coverage, row.worst_coverage),
            f"±{row.half_width:.1%}",
            *(_share(row.wrong[truth], row.worst_wrong[truth]) for truth in TRUTHS),
        )
    out.print(table)
    out.print(
        f"{RUNS} simulated runs a line; in brackets the worst workload's share. Wrong is a "
        "sentence that calls a model slower or faster and is not right, at that true ratio."
    )
    return 0


def _share(overall: float, worst: float) -> str:
    return f"{overall:.1%} [{worst:.1%}]"
