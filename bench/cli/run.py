"""The verbs that measure and what leads up to it: run, list and fetch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.cli.options import with_plan
from bench.plan.options import Options, parse_allocator

verbs = typer.Typer()


@verbs.command()
@with_plan
def run(
    options: Options,
    revision: Annotated[
        str,
        typer.Option(help="Commit, tag or branch of the checkpoints; default: the registry's."),
    ] = "",
    seed: Annotated[int, typer.Option(help="Seed of inputs and of the order in rounds.")] = 0,
    allocator: Annotated[
        str,
        typer.Option(
            help="steady: timed workers keep freed memory; system: the system's own setting."
        ),
    ] = "steady",
    timeout: Annotated[
        float, typer.Option(help="Seconds without output after which a worker is stopped.")
    ] = 600.0,
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer needs it spelled so on Python 3.10
        typer.Option(help="The run's directory; default: results/<time>-<id>."),
    ] = None,
    resume: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Finish this interrupted run, with its own options."),
    ] = None,
) -> None:
    """Measure the models side by side.

    Prints a table, notes and the answer, and writes the CSV files and the page.
    """
    from bench.cli import flow

    if resume is not None:
        raise typer.Exit(flow.resume(resume))
    asked = replace(options, revision=revision or None, seed=seed, timeout_s=timeout)
    asked = replace(asked, allocator=parse_allocator(allocator))
    raise typer.Exit(flow.run(asked, output))


@verbs.command("list")
@with_plan
def list_plan(options: Options) -> None:
    """Show what `bench run` would do: cases, processes, time."""
    from bench.cli import flow

    flow.show_plan(replace(options, devices=options.devices or ("cpu",)))


@verbs.command()
def fetch(
    models: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[MODEL]...", help="Models as for --model; the default two if none."
        ),
    ] = None,
    revision: Annotated[
        str, typer.Option(help="Commit, tag or branch; default: the registry's.")
    ] = "",
    check: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool, typer.Option("--check", help="Verify cached copies instead, without a network.")
    ] = False,
) -> None:
    """Download pretrained weights before a run.

    Shows the commit, size, hash and place of each.
    """
    from bench.checkpoints import fetch as checkpoints
    from bench.cli.flow import log
    from bench.plan.registry import pick_models

    chosen = pick_models(models or ())
    if check:
        checkpoints.verify_cached(chosen, revision or None, show=print)
    else:
        checkpoints.fetch(chosen, revision or None, show=print, note=log)
