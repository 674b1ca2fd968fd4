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
        typer.Option(help="Commit, tag or branch of the checkpoints; the registry's when empty."),
    ] = "",
    seed: Annotated[int, typer.Option(help="Seed of inputs and of the order in rounds.")] = 0,
    allocator: Annotated[
        str,
        typer.Option(help="steady: timed workers keep freed memory; system: as the system has it."),
    ] = "steady",
    timeout: Annotated[
        float, typer.Option(help="Seconds of silence after which a worker is given up.")
    ] = 600.0,
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer needs it spelled so on Python 3.10
        typer.Option(help="The run's directory; results/<time>-<id> when not given."),
    ] = None,
    resume: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Finish this interrupted run; its own options are used again."),
    ] = None,
) -> None:
    """Measure the models side by side, print the answer, and write the CSV files and the page."""
    from bench.cli import flow

    if resume is not None:
        raise typer.Exit(flow.resume(resume))
    asked = replace(options, revision=revision or None, seed=seed, timeout_s=timeout)
    asked = replace(asked, allocator=parse_allocator(allocator))
    raise typer.Exit(flow.run(asked, output))


@verbs.command("list")
@with_plan
def list_plan(options: Options) -> None:
    """Show what `bench run` would do, by the options that decide it: cases, processes, time."""
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
        str, typer.Option(help="Commit, tag or branch; the registry's when empty.")
    ] = "",
    check: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool, typer.Option("--check", help="Verify cached copies instead, without any network.")
    ] = False,
) -> None:
    """Download pretrained weights ahead of a run, and show what there is and where."""
    from bench.checkpoints import fetch as checkpoints
    from bench.cli.flow import log
    from bench.plan.registry import pick_models

    chosen = pick_models(models or ())
    if check:
        checkpoints.verify_cached(chosen, revision or None, show=print)
    else:
        checkpoints.fetch(chosen, revision or None, show=print, note=log)
