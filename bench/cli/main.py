"""The `bench` command: its verbs, each of which reads like the data flow."""

from __future__ import annotations

import dataclasses
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
import typer.core

from bench import __version__
from bench.cli.gate import verbs as gate_verbs
from bench.cli.options import (
    Attentions,
    Backends,
    BatchSizes,
    Budget,
    Caches,
    Compiles,
    Device,
    Devices,
    Dtypes,
    Heads,
    MemoryLimit,
    Models,
    Names,
    Precision,
    ProfileName,
    Repeats,
    SeqLens,
    TextFile,
    Threads,
    WeightsKind,
    wanted_threads,
)
from bench.core.architecture import Weights
from bench.core.errors import BenchError, OutputError, UsageError
from bench.core.suite import PROFILES, Sampling
from bench.report import figure_names
from bench.runner.signals import fall_silent

CommandLineError: Any = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)
"""What every wrong option or argument raises; typer has it from click or from its own copy."""


class _Commands(typer.core.TyperGroup):
    """Lets an interruption through to `main`: typer would end the command without a word."""

    def invoke(self, ctx: Any) -> Any:
        """See click.Command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Abort from None


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="BERT or ALBERT, on my machine, for my load? Measures both side by side, with intervals.",
    epilog="Exit codes: 0 all well, 1 a case failed, 2 bad input, 3 nothing measured, 4 results could not be written, 130 interrupted.",
)


def _sampling(
    profile: str, repeats: int | None, precision: float | None, budget: float | None
) -> Sampling:
    """The profile's sampling with what the user changed; a changed limit lifts the time limit."""
    if profile not in PROFILES:
        raise UsageError(f"no profile {profile!r}: choose from {', '.join(PROFILES)}")
    base = PROFILES[profile].sampling
    given = {"repeats": repeats, "precision": precision, "budget_s": budget}
    changed = {name: value for name, value in given.items() if value is not None}
    if "repeats" in changed:
        changed["min_repeats"] = min(base.min_repeats, changed["repeats"])
    if changed.keys() & {"repeats", "budget_s"}:
        changed["max_time_s"] = None  # type: ignore[assignment]
    return dataclasses.replace(base, **changed)  # type: ignore[arg-type]


@app.command()
def run(
    suites: Names = None,
    profile: ProfileName = "quick",
    model: Models = [],  # noqa: B006 - typer copies it
    device: Devices = [],  # noqa: B006
    dtype: Dtypes = [],  # noqa: B006
    attention: Attentions = [],  # noqa: B006
    backend: Backends = [],  # noqa: B006
    compile_mode: Compiles = [],  # noqa: B006
    head: Heads = [],  # noqa: B006
    cache: Caches = [],  # noqa: B006
    batch_size: BatchSizes = [],  # noqa: B006
    seq_len: SeqLens = [],  # noqa: B006
    threads: Threads = None,
    weights: WeightsKind = Weights.AUTO,
    revision: Annotated[
        str,
        typer.Option(help="Commit, tag or branch of the checkpoints; the registry's when empty."),
    ] = "",
    text: TextFile = None,
    memory_limit: MemoryLimit = "",
    repeats: Repeats = None,
    precision: Precision = None,
    budget: Budget = None,
    seed: Annotated[int, typer.Option(help="Seed of inputs and of the order in rounds.")] = 0,
    timeout: Annotated[
        float, typer.Option(help="Seconds of silence after which a worker is given up.")
    ] = 600.0,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The run's directory; results/<time>-<id> when not given."),
    ] = None,
    resume: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Finish this interrupted run; its own options are used again."),
    ] = None,
) -> None:
    """Measure the models side by side, print the answer, and write the CSV files and the page."""
    from bench.cli import run as command
    from bench.plan.options import Options, parse_bytes

    if resume is not None:
        raise typer.Exit(command.resume(resume))
    options = Options(
        suites=tuple(suites or ()),
        profile=profile,
        models=tuple(model),
        devices=tuple(device),
        dtypes=tuple(dtype),
        attentions=tuple(attention),
        backends=tuple(backend),
        compiles=tuple(compile_mode),
        heads=tuple(head),
        caches=tuple(cache),
        batch_sizes=tuple(batch_size),
        seq_lens=tuple(seq_len),
        threads=wanted_threads(threads),
        weights=weights,
        revision=revision or None,
        seed=seed,
        timeout_s=timeout,
        sampling=_sampling(profile, repeats, precision, budget),
        text=None if text is None else str(text.absolute()),
        memory_limit=parse_bytes("--memory-limit", memory_limit),
    )
    raise typer.Exit(command.run(options, output))


@app.command("list")
def list_plan(
    suites: Names = None,
    profile: ProfileName = "quick",
    model: Models = [],  # noqa: B006
    device: Devices = ["cpu"],  # noqa: B006
    dtype: Dtypes = [],  # noqa: B006
    attention: Attentions = [],  # noqa: B006
    backend: Backends = [],  # noqa: B006
    compile_mode: Compiles = [],  # noqa: B006
    head: Heads = [],  # noqa: B006
    cache: Caches = [],  # noqa: B006
    batch_size: BatchSizes = [],  # noqa: B006
    seq_len: SeqLens = [],  # noqa: B006
    threads: Threads = None,
    weights: WeightsKind = Weights.AUTO,
    text: TextFile = None,
    memory_limit: MemoryLimit = "",
    repeats: Repeats = None,
    precision: Precision = None,
    budget: Budget = None,
) -> None:
    """Show what `bench run` would do, by the options that decide it: cases, processes, time."""
    from bench.cli import run as command
    from bench.plan.options import Options, parse_bytes

    options = Options(
        suites=tuple(suites or ()),
        profile=profile,
        models=tuple(model),
        devices=tuple(device),
        dtypes=tuple(dtype),
        attentions=tuple(attention),
        backends=tuple(backend),
        compiles=tuple(compile_mode),
        heads=tuple(head),
        caches=tuple(cache),
        batch_sizes=tuple(batch_size),
        seq_lens=tuple(seq_len),
        threads=wanted_threads(threads),
        weights=weights,
        sampling=_sampling(profile, repeats, precision, budget),
        text=None if text is None else str(text.absolute()),
        memory_limit=parse_bytes("--memory-limit", memory_limit),
    )
    command.list_plan(options)


app.add_typer(gate_verbs)


@app.command()
def fetch(
    models: Annotated[
        Optional[list[str]],  # noqa: UP045 - see Names
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
    from bench.cli import run as command

    command.fetch(tuple(models or ()), revision or None, check=check)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045 - see Names
        typer.Option(help="The page's directory; reports/<run>+... when not given."),
    ] = None,
) -> None:
    """Make one self-contained page of one or several runs, from their CSV files alone."""
    from bench.cli import run as command

    command.report(runs, output)


@app.command()
def plot(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    figure: Annotated[str, typer.Option(help=f"One of {', '.join(figure_names())}.")],
    output: Annotated[
        Optional[Path],  # noqa: UP045 - see Names
        typer.Option(help="Where the files go; reports/<run>/figures when not given."),
    ] = None,
) -> None:
    """Draw one figure of a run, as SVG and PNG."""
    from bench.cli import run as command

    command.plot(run, figure, output)


@app.command()
def selftest() -> None:
    """Measure the harness itself: its overhead, a known delay, an A/A test, a known allocation."""
    from bench.checks import selftest as checks

    raise typer.Exit(checks.main())


@app.command()
def crosscheck(
    model: Models = [],  # noqa: B006 - typer copies it
    device: Device = "cpu",
    threads: Threads = None,
) -> None:
    """Compare our times of every variant with other timers': torch's; on CUDA events, do_bench."""
    from bench.checks import crosscheck as checks

    raise typer.Exit(checks.main(tuple(model), device, wanted_threads(threads)))


@app.command()
def doctor() -> None:
    """Say what on this machine will hurt a measurement, and the command that mends it."""
    from bench.cli import health

    raise typer.Exit(health.show_doctor())


@app.command()
def version() -> None:
    """Print the version of bench."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr, never a traceback."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # a polite end leaves nothing behind
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except CommandLineError as mistake:
        text = mistake.format_message()
        typer.echo(f"bench: {' '.join(text.split())} (see --help)", err=True)
        sys.exit(UsageError.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("bench: interrupted", err=True)
        sys.exit(130)
    except BenchError as error:
        typer.echo(f"bench: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a closed pipe: of the machine's making, not of ours
        _say_last(f"bench: cannot go on: {error}")
        sys.exit(OutputError.exit_code)


def _say_last(text: str) -> None:
    """Say why the command ends, though what it talked to may be gone."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    fall_silent()  # what is still buffered has nowhere to go, and the exit would say so


if __name__ == "__main__":
    main()
