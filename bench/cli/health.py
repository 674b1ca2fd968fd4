"""The verbs that look at the machine and at the tool itself."""

from __future__ import annotations

from typing import Annotated

import typer

from bench import __version__
from bench.cli.options import Device, Models, Threads, wanted_threads

verbs = typer.Typer()


@verbs.command()
def selftest(
    device: Device = "cpu",
    coverage: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool,
        typer.Option(
            "--coverage", help="Simulate on recorded noise how often intervals are right, instead."
        ),
    ] = False,
) -> None:
    """Check the harness against known values.

    Its overhead, a known delay, a known allocation, and an A/A test on --device.
    """
    if coverage:
        from bench.checks import coverage as simulation

        raise typer.Exit(simulation.main())
    from bench.checks import selftest as checks

    raise typer.Exit(checks.main(device))


@verbs.command("agree", hidden=True)  # its former name
@verbs.command()
def crosscheck(
    model: Models = [],  # noqa: B006 - typer copies it
    device: Device = "cpu",
    threads: Threads = None,
) -> None:
    """Compare our times of every variant with other timers.

    torch's own timer; on CUDA a plain loop of events and Triton's do_bench.
    """
    from bench.checks import crosscheck as checks

    raise typer.Exit(checks.main(tuple(model), device, wanted_threads(threads)))


@verbs.command()
def doctor() -> None:
    """Show what will disturb a measurement here, and the fix."""
    from rich.table import Table

    from bench.machine.doctor import Doctor
    from bench.terminal.progress import console

    out, examined = console(), Doctor()
    found, unknown = list(examined.findings()), examined.unknown()
    if found:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("found", "what it does", "next command"):
            table.add_column(name, overflow="fold")
        for finding in found:
            table.add_row(finding.what, finding.cause, finding.remedy)
        out.print(table)
    else:
        out.print("nothing found that would hurt a measurement here")
    if unknown:
        out.print(f"not known on this system: {', '.join(unknown)}", style="dim", soft_wrap=True)


@verbs.command()
def version() -> None:
    """Print the version of bench."""
    typer.echo(__version__)
