"""The verb that prints the ending of a stored run again."""

from __future__ import annotations

from typing import Annotated

import typer

verbs = typer.Typer()


@verbs.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's directory or a baseline.")],
    notes: Annotated[bool, typer.Option("--notes", help="Print the notes in full.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Print a run's table, notes and answer again."""
    from bench.compare import baselines
    from bench.core.paths import REPORTS
    from bench.runner.finalize import Outcome
    from bench.stats.analysis import Analysis
    from bench.terminal.progress import console
    from bench.terminal.summary import show_ending

    directory = baselines.find(run)
    page = REPORTS / directory.resolve().name / "index.html"
    outcome = Outcome(Analysis.read(directory))
    show_ending(console(), outcome, page=page if page.exists() else None, notes=notes)
