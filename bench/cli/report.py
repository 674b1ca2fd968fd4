"""The verbs that show stored runs: report and plot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.core.paths import LONGEST_NAME, REPORTS
from bench.report import figure_names

verbs = typer.Typer()


@verbs.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer needs it spelled so on Python 3.10
        typer.Option(help="The page's directory; default: reports/<run>+..."),
    ] = None,
) -> None:
    """Make one self-contained page of one or more runs.

    It is made from their CSV files alone.
    """
    from bench.report import write_report

    typer.echo(write_report(runs, output or REPORTS / page_name(runs)))


@verbs.command()
def plot(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    figure: Annotated[str, typer.Option(help=f"One of {', '.join(figure_names())}.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Where the files go; default: reports/<run>/figures."),
    ] = None,
) -> None:
    """Draw one figure of a run, as SVG and PNG."""
    from bench.report import plot as draw

    for path in draw(run, figure, output or REPORTS / page_name([run]) / "figures"):
        typer.echo(path)


def page_name(runs: Sequence[Path]) -> str:
    """What the page of these runs is called: by all of them, where that can name a directory."""
    names = [run.resolve().name for run in runs]
    joined = "+".join(names)
    if len(os.fsencode(joined)) <= LONGEST_NAME:
        return joined
    return f"{names[-1]}+{len(names) - 1}"
