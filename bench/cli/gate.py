"""The gate's verbs on the command line: baseline, check, noise, compare and history."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.cli.options import BatchSizes, Device, SeqLens, Threads, wanted_threads
from bench.compare.formats import Format
from bench.compare.thresholds import USUAL_MAX_S
from bench.core.axes import Dtype
from bench.core.errors import UsageError

verbs = typer.Typer()


class JudgedClock(str, Enum):
    """The clocks of the paired gate, as options say them."""

    WALL = "wall"
    CPU = "cpu"


CheckedModels = Annotated[
    list[str],
    typer.Option(
        "--model", help="Registry name, directory, or module:function of yours; repeatable."
    ),
]
ClockName = Annotated[
    JudgedClock, typer.Option("--clock", help="Seconds to judge: wall, or cpu on a busy machine.")
]
SideTimeout = Annotated[
    float,
    typer.Option("--timeout", help="Seconds of silence after which a side is given up."),
]
Threshold = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--threshold",
        help="Smallest change that matters (5%, 0.05); else [tool.bench] in pyproject.toml, or 5%.",
    ),
]
OutputFormat = Annotated[
    Format, typer.Option("--format", help="How the comparison is written to standard output.")
]


def _refuse_idle(context: typer.Context, names: Collection[str | None], why: str) -> None:
    """Refuse options that were given and have no effect: whoever gave them expects one."""
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        if param.name in names and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{param.opts[0]} has no effect {why}: leave it out")


@verbs.command()
def baseline(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    name: Annotated[str, typer.Option(help="What to call it.")],
) -> None:
    """Keep the small files of a run under results/baselines/NAME, to commit them."""
    from bench.gate import command

    raise typer.Exit(command.baseline(run, name))


@verbs.command()
def check(
    context: typer.Context,
    baseline: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Count again what this baseline (or run) counted: any change fails."),
    ] = None,
    against: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="PYTHON_OR_REF",
            help="Time this tree against another interpreter or git ref, both at the same time.",
        ),
    ] = None,
    threshold: Threshold = None,
    model: CheckedModels = [],  # noqa: B006
    batch_size: BatchSizes = [],  # noqa: B006
    seq_len: SeqLens = [],  # noqa: B006
    device: Device = "cpu",
    dtype: Annotated[Dtype, typer.Option(help="Of weights and activations.")] = Dtype.FLOAT32,
    threads: Threads = None,
    clock: ClockName = JudgedClock.WALL,
    max_time: Annotated[
        float, typer.Option("--max-time", help="Seconds after which no more pairs are started.")
    ] = USUAL_MAX_S,
    timeout: SideTimeout = 300.0,
    seed: Annotated[int, typer.Option(help="Seed of inputs and of the order in rounds.")] = 0,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Gate a change. Exit codes: 0 nothing worse, 1 a regression, 2 bad input, 3 not measured."""
    from bench.gate import command
    from bench.gate.cases import Asked
    from bench.gate.paired_gate import Clock

    if against is None and baseline is not None:
        of_time = {param.name for param in context.command.params} - {"baseline", "form"}
        _refuse_idle(context, of_time, "without --against")
    paired = None
    if against is not None:
        asked = Asked(
            tuple(model),
            tuple(batch_size),
            tuple(seq_len),
            device,
            dtype.value,
            wanted_threads(threads),
        )
        paired = command.PairedOptions(against, asked, Clock[clock.name], max_time, timeout, seed)
    raise typer.Exit(command.check(baseline, paired, threshold, form))


@verbs.command()
def noise(
    context: typer.Context,
    pairs: Annotated[int, typer.Option(help="Process pairs of equal sides.")] = 6,
    study: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--study",
            help="Instead: check the gate's promises with injected slowdowns (hours; goes on "
            "where it was interrupted).",
        ),
    ] = False,
    sessions: Annotated[int, typer.Option(help="With --study: pairs per slowdown.")] = 40,
    gate_runs: Annotated[int, typer.Option(help="With --study: real runs of the gate.")] = 40,
    model: CheckedModels = [],  # noqa: B006
    batch_size: BatchSizes = [],  # noqa: B006
    seq_len: SeqLens = [],  # noqa: B006
    threads: Threads = None,
    clock: ClockName = JudgedClock.WALL,
    timeout: SideTimeout = 300.0,
    seed: Annotated[int, typer.Option(help="Seed of inputs and of the order in rounds.")] = 0,
) -> None:
    """Time equal sides here: the smallest regression this machine can gate on, and in what time."""
    from bench.gate import command
    from bench.gate.cases import Asked
    from bench.gate.paired_gate import Clock

    asked = Asked(
        tuple(model),
        tuple(batch_size),
        tuple(seq_len),
        threads=wanted_threads(threads),
    )
    if study:
        _refuse_idle(context, ("pairs",), "with --study")
        found = command.study(asked, sessions, gate_runs, Clock[clock.name], timeout, seed)
        raise typer.Exit(found)
    _refuse_idle(context, ("sessions", "gate_runs"), "without --study")
    raise typer.Exit(command.noise(asked, pairs, Clock[clock.name], timeout, seed))


@verbs.command()
def compare(
    baseline: Annotated[str, typer.Argument(help="A run's directory or a baseline's name.")],
    candidate: Annotated[str, typer.Argument(help="Likewise.")],
    threshold: Threshold = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Compare two stored runs: exact figures, seconds where comparable, and paired ratios."""
    from bench.gate import command

    raise typer.Exit(command.compare(baseline, candidate, threshold, form))


@verbs.command()
def history(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Directories of runs.")],
    metric: Annotated[str, typer.Option(help="A metric, as in summary.csv.")] = "latency",
) -> None:
    """Show the course of a metric over runs, and where it changed for good."""
    from bench.gate import command

    raise typer.Exit(command.history(runs, metric))
