"""The report page: one self-contained HTML file with the answer first, and its figures as files."""

from __future__ import annotations

from pathlib import Path

from bench.report.figures import names as figure_names

__all__ = ["figure_names", "plot", "write_report"]


def write_report(runs: list[Path], output: Path) -> Path:
    """Write `output/index.html` about the runs, and `output/figures/`; returns the page."""
    from bench.report.page import write

    return write(runs, output)


def plot(run: Path, figure: str, output: Path) -> list[Path]:
    """Write one figure of a run (one of figure_names) as SVG and PNG; returns the files."""
    from bench.report.plotting import plot

    return plot(run, figure, output)
