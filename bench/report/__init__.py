"""The report page: one self-contained HTML file with the answer first, and its figures as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.figures import names as figure_names

if TYPE_CHECKING:
    from bench.stats.analysis import Analysis

__all__ = ["figure_names", "plot", "write_report"]


def write_report(runs: Sequence[Path | Analysis], output: Path) -> Path:
    """Write `output/index.html` and `output/figures/` about runs; returns the page.

    A run is given by its directory, or as what was computed of it already.
    """
    from bench.report.page import write
    from bench.stats.analysis import Analysis

    return write([Analysis.read(run) if isinstance(run, Path) else run for run in runs], output)


def plot(run: Path, figure: str, output: Path) -> list[Path]:
    """Write one figure of a run (one of figure_names) as SVG and PNG; returns the files."""
    from bench.report.plotting import plot

    return plot(run, figure, output)
