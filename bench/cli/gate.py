"""The gate's verbs on the command line: baseline, check, noise, compare and history."""

from __future__ import annotations

import statistics
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from bench.cli.options import (
    BatchSizes,
    CheckedModels,
    ClockName,
    Device,
    OutputFormat,
    SeqLens,
    SideTimeout,
    Threads,
    Threshold,
    wanted_threads,
)
from bench.compare.findings import Format
from bench.compare.thresholds import USUAL_MAX_S
from bench.core.axes import Dtype
from bench.core.errors import UsageError, check_seconds
from bench.gate.clocks import JudgedClock, usual_clock

if TYPE_CHECKING:
    from bench.gate.cases import Asked
    from bench.terminal.progress import TerminalDisplay

verbs = typer.Typer()


def _refuse_idle(context: typer.Context, names: Collection[str | None], why: str) -> None:
    """Refuse options that were given and have no effect: whoever gave them expects one."""
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        if param.name in names and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{param.opts[0]} has no effect {why}: leave it out")


def _progress() -> TerminalDisplay:
    """Progress goes to stderr: stdout is for the answer alone, so that a program can read it."""
    from rich.console import Console

    from bench.terminal.progress import TerminalDisplay

    return TerminalDisplay(Console(stderr=True, highlight=False))


@verbs.command()
def baseline(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    name: Annotated[str, typer.Option(help="Name of the baseline.")],
) -> None:
    """Keep a run as a baseline: its small files, to commit.

    They go to results/baselines/NAME.
    """
    from bench.compare import baselines
    from bench.terminal.progress import console

    directory, left_out = baselines.keep(run, name)
    out = console()
    out.print(f"kept as {directory}; commit it", markup=False, soft_wrap=True)
    for what in left_out:
        out.print(f"left out, too large to commit: {what}", markup=False, soft_wrap=True)


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
    clock: ClockName = None,
    max_time: Annotated[
        float, typer.Option("--max-time", help="Seconds after which no more pairs are started.")
    ] = USUAL_MAX_S,
    timeout: SideTimeout = 300.0,
    seed: Annotated[int, typer.Option(help="Seed of inputs and of the order in rounds.")] = 0,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Gate a change: exact figures, or time against another tree.

    Exit codes: 0 nothing worse, 1 a regression, 2 bad input, 3 not measured.
    """
    from bench.compare.findings import joined
    from bench.compare.formats import show
    from bench.compare.thresholds import read
    from bench.gate.against import PairedOptions, compare_trees
    from bench.gate.cases import Asked

    if against is None and baseline is not None:
        of_time = {param.name for param in context.command.params} - {"baseline", "form"}
        _refuse_idle(context, of_time, "without --against")
    if against is None and baseline is None:
        raise UsageError(
            "nothing to check against: give --baseline NAME for exact figures, "
            "--against PYTHON_OR_REF for time, or both"
        )
    paired = None
    if against is not None:
        asked = Asked(
            tuple(model),
            tuple(batch_size),
            tuple(seq_len),
            device,
            dtype,
            wanted_threads(threads),
        )
        paired = PairedOptions(against, asked, clock, max_time, timeout, seed)
    thresholds = read(Path(), threshold)
    display = _progress()
    found = []
    if baseline is not None:
        from bench.compare.baselines import find
        from bench.core.paths import RESULTS
        from bench.gate.exact import recount

        found.append(recount(find(baseline), RESULTS, display))
    if paired is not None:
        found.append(compare_trees(paired, thresholds, display.note))
    raise typer.Exit(show(joined(found), form))


@verbs.command()
def noise(
    context: typer.Context,
    pairs: Annotated[int, typer.Option(help="Process pairs, the same code on both sides.")] = 6,
    study: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--study",
            help="Instead: check the gate's promises with injected slowdowns (hours; an "
            "interrupted study continues).",
        ),
    ] = False,
    recorded: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="DIR",
            help="Instead: simulate gate runs on the pairs that a study recorded there.",
        ),
    ] = None,
    sessions: Annotated[int, typer.Option(help="With --study: pairs per slowdown.")] = 40,
    gate_runs: Annotated[int, typer.Option(help="With --study: real runs of the gate.")] = 40,
    model: CheckedModels = [],  # noqa: B006
    batch_size: BatchSizes = [],  # noqa: B006
    seq_len: SeqLens = [],  # noqa: B006
    threads: Threads = None,
    clock: ClockName = None,
    timeout: SideTimeout = 300.0,
    seed: Annotated[int, typer.Option(help="Seed of inputs and of the order in rounds.")] = 0,
) -> None:
    """Find the smallest regression this machine can gate on.

    Also shows how long a gate run then takes.
    """
    if recorded is not None:
        idle = {param.name for param in context.command.params} - {"recorded", "clock", "seed"}
        _refuse_idle(context, idle, "with --recorded")
        _simulate(recorded, clock or JudgedClock.CPU, seed)
        return
    from bench.gate.cases import Asked

    asked = Asked(
        tuple(model),
        tuple(batch_size),
        tuple(seq_len),
        threads=wanted_threads(threads),
    )
    judged = clock or usual_clock(asked.threads, asked.device)
    check_seconds("--timeout", timeout)
    if study:
        _refuse_idle(context, ("pairs",), "with --study")
        _study(asked, sessions, gate_runs, judged, timeout, seed)
        return
    _refuse_idle(context, ("sessions", "gate_runs"), "without --study")
    _noise(asked, pairs, judged, timeout, seed)


def _noise(asked: Asked, pairs: int, clock: JudgedClock, timeout_s: float, seed: int) -> None:
    """Measure identical sides, and say what this machine can gate on."""
    from bench.core.paths import RESULTS
    from bench.gate import aa_noise
    from bench.terminal.progress import console

    if pairs < aa_noise.LEAST_PAIRS:
        raise UsageError(f"--pairs is {pairs}: a spread needs {aa_noise.LEAST_PAIRS} or more")
    note = _progress().note
    recorded = aa_noise.record(asked, pairs, RESULTS / "noise", timeout_s, seed, note)
    console().print(aa_noise.show(recorded, clock), markup=False, soft_wrap=True)


def _simulate(directory: Path, clock: JudgedClock, seed: int) -> None:
    """Simulate gate runs on the pairs of a study that was kept; nothing is measured."""
    from bench.gate import study, study_report
    from bench.terminal.progress import console

    page = study_report.report(*study.read_study(directory), clock, seed)
    console().print(page, markup=False, soft_wrap=True)


def _study(
    asked: Asked, sessions: int, gate_runs: int, clock: JudgedClock, timeout_s: float, seed: int
) -> None:
    """Record (or go on with) the study of the gate's error rates, and write what it shows."""
    from bench.compare.baselines import BASELINES
    from bench.core.paths import RESULTS
    from bench.gate import study, study_report
    from bench.results.store import read_table
    from bench.terminal.progress import console

    for option, count in (("--sessions", sessions), ("--gate-runs", gate_runs)):
        if count < 0:
            raise UsageError(f"{option} is {count}: give 0 or more")
    note, directory = _progress().note, RESULTS / study.NAME
    made = study.Study(directory, asked, sessions, gate_runs, clock, timeout_s, seed, note)
    facts = made.run()
    page = study_report.report(read_table(directory, "pairs"), facts, clock)
    study.publish(directory, BASELINES / study.NAME, page)
    console().print(page, markup=False, soft_wrap=True)
    note(f"kept in {BASELINES / study.NAME}; commit it")


@verbs.command()
def compare(
    baseline: Annotated[str, typer.Argument(help="A run's directory or a baseline's name.")],
    candidate: Annotated[str, typer.Argument(help="A run's directory or a baseline's name.")],
    threshold: Threshold = None,
    form: OutputFormat = Format.TABLE,
) -> None:
    """Compare two stored runs.

    Exact figures, seconds where comparable, and paired ratios.
    """
    from bench.compare.baselines import find
    from bench.compare.formats import show
    from bench.compare.judgement import compare as compare_figures
    from bench.compare.stored_runs import read as read_run
    from bench.compare.thresholds import read

    old, new = (read_run(find(name)) for name in (baseline, candidate))
    raise typer.Exit(show(compare_figures(old, new, read(Path(), threshold)), form))


@verbs.command()
def history(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Directories of runs.")],
    metric: Annotated[str, typer.Option(help="A metric, as in summary.csv.")] = "latency",
) -> None:
    """Show a metric over many runs, and where it changed for good."""
    from rich.table import Table

    from bench.compare.formats import readable, scaled
    from bench.compare.history import courses
    from bench.terminal.progress import console

    found, notes = courses(runs, metric)
    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("case", "metric", "runs", "first", "median", "last", "steps"):
        table.add_column(name, justify="left" if name in ("case", "metric", "steps") else "right")
    for course in found:
        values = course.values
        shown = (values[0], statistics.median(values), values[-1])
        changes = ", ".join(f"{s.ratio - 1:+.1%} at {s.run}" for s in course.steps)
        table.add_row(
            readable(course.case),
            course.metric,
            str(len(values)),
            *(scaled(value, course.unit) for value in shown),
            changes,
        )
    out.print(table)
    for text in notes:
        out.print(f"note: {text}", markup=False, soft_wrap=True)
