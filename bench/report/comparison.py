"""What changed between two runs of a page: the findings and verdicts of `bench compare`."""

from __future__ import annotations

from pathlib import Path

from bench.compare.findings import RED, Comparison, Verdict
from bench.compare.formats import COLUMNS, cells
from bench.compare.judgement import compare as compare_figures
from bench.compare.stored_runs import figures
from bench.compare.thresholds import read as read_thresholds
from bench.report.table import Table
from bench.report.view import View

ORDER = ("case", "metric", "verdict", "baseline", "candidate", "ratio", "note")
"""Columns of the page: a row is about a case, so that comes first."""


RULE = (
    "Exact figures are compared exactly. Seconds and ratios have changed only where the whole 95 % "
    "interval of candidate / baseline lies beyond the threshold; they are unknown where it "
    "straddles a line."
)


def compare(views: list[View]) -> Comparison:
    """The newest run against the one before it, by the same rules as on the command line."""
    old, new = (figures(v.run, v.summary, v.ratios) for v in views[-2:])
    return compare_figures(old, new, read_thresholds(Path(), None))


def intro(comparison: Comparison) -> list[str]:
    """Which two runs, what came out, and what the verdicts rest on."""
    which = (
        f"{comparison.candidate} (candidate) against {comparison.baseline} (baseline), the run "
        "before it."
    )
    notes = [f"Note: {note}." for note in comparison.notes]
    return [f"{which} {comparison.conclusion()}", *notes, RULE]


def table(comparison: Comparison) -> Table | None:
    """A row per finding, what got worse first; exact figures that stayed equal have none."""
    shown = [f for f in comparison.findings if f.verdict is not Verdict.EQUAL]
    if not shown:
        return None
    rows = []
    for finding in sorted(shown, key=lambda f: f.verdict not in RED):
        texts = dict(zip(COLUMNS, cells(finding), strict=True))
        rows.append([texts[name] for name in ORDER])
    heads = [name.capitalize() for name in ORDER]
    return Table("comparison-table", f"Findings ({len(rows)})", heads, rows)
