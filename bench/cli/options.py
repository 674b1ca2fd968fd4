"""Options that several verbs of the command line share, and the one way from them to a plan."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Optional, get_type_hints

import typer

from bench.compare.findings import Format
from bench.core.architecture import Weights
from bench.core.axes import AXES
from bench.core.errors import UsageError
from bench.core.suite import PROFILES, Sampling
from bench.gate.clocks import JudgedClock
from bench.machine.fingerprint import default_threads
from bench.plan.options import Options, parse_axes, parse_bytes

BatchSizes = Annotated[
    list[int], typer.Option("--batch-size", help="Sequences per forward; repeatable.")
]
SeqLens = Annotated[list[int], typer.Option("--seq-len", help="Tokens per sequence; repeatable.")]
Threads = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--threads", help="CPU threads of a forward; default: all physical cores."),
]
Names = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer needs it spelled so on Python 3.10
    typer.Argument(metavar="[SUITE]...", help="Suites to run; default: the usual ones."),
]
ProfileName = Annotated[str, typer.Option("--profile", help="quick (minutes) or full (hours).")]
Models = Annotated[
    list[str],
    typer.Option(
        "--model", help="Registry name, hub id or directory; repeatable. First = reference."
    ),
]
Devices = Annotated[
    list[str],
    typer.Option(
        "--device",
        help="cpu, cuda or cuda:N; repeatable. Default: all devices (`list`: cpu).",
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
WeightsKind = Annotated[
    Weights, typer.Option(help="pretrained, random, or auto: pretrained if available.")
]
MemoryLimit = Annotated[
    str,
    typer.Option(
        "--memory-limit",
        help="For `capacity`: the memory to fit in, like 2GB or 500MiB (needed on the CPU).",
    ),
]
TextFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Measure on this text, one sequence a line, with each model's tokenizer."),
]
Processes = Annotated[
    Optional[int],  # noqa: UP045 - see Names
    typer.Option("--processes", help="Fresh processes per timed case, at most."),
]
Repeats = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--repeats", hidden=True, help="The former name of --processes."),
]
Precision = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--precision", help="Stop when ratios are known to this fraction, like 0.02."),
]
Budget = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--budget", help="Seconds of sampling per case, at most."),
]
CheckedModels = Annotated[
    list[str],
    typer.Option(
        "--model", help="Registry name, directory, or your own module:function; repeatable."
    ),
]
ClockName = Annotated[
    Optional[JudgedClock],  # noqa: UP045
    typer.Option("--clock", help="Seconds to judge; default: cpu on one CPU thread, else wall."),
]
SideTimeout = Annotated[
    float,
    typer.Option("--timeout", help="Seconds without output after which a side is stopped."),
]
Threshold = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--threshold",
        help="Smallest change that matters (5%, 0.05); default: [tool.bench] in pyproject.toml, or 5%.",
    ),
]
OutputFormat = Annotated[
    Format, typer.Option("--format", help="How the comparison is written to standard output.")
]


def wanted_threads(threads: int | None) -> int:
    """The number of threads that `--threads` says, or all there are."""
    return default_threads() if threads is None else threads


def plan_options(
    axes: Mapping[str, tuple[str, ...]],
    suites: Names = None,
    profile: ProfileName = "quick",
    model: Models = [],  # noqa: B006 - typer copies it
    device: Devices = [],  # noqa: B006
    batch_size: BatchSizes = [],  # noqa: B006
    seq_len: SeqLens = [],  # noqa: B006
    threads: Threads = None,
    weights: WeightsKind = Weights.AUTO,
    text: TextFile = None,
    memory_limit: MemoryLimit = "",
    processes: Processes = None,
    repeats: Repeats = None,
    precision: Precision = None,
    budget: Budget = None,
) -> Options:
    """What decides a plan, as the user put it; raises UsageError for what cannot be meant.

    `axes` has the values given for each axis of a variant.
    """
    return Options(
        suites=tuple(suites or ()),
        profile=profile,
        models=tuple(model),
        devices=tuple(device),
        axes=parse_axes(axes),
        batch_sizes=tuple(batch_size),
        seq_lens=tuple(seq_len),
        threads=wanted_threads(threads),
        weights=weights,
        sampling=_sampling(profile, repeats if processes is None else processes, precision, budget),
        text=None if text is None else str(text.absolute()),
        memory_limit=parse_bytes("--memory-limit", memory_limit),
    )


def _sampling(
    profile: str, processes: int | None, precision: float | None, budget: float | None
) -> Sampling:
    """The profile's sampling with what the user changed; a changed limit lifts the time limit."""
    if profile not in PROFILES:
        raise UsageError(f"no profile {profile!r}: choose from {', '.join(PROFILES)}")
    found = PROFILES[profile].sampling
    if processes is not None:
        fewest = min(found.min_processes, processes)
        found = replace(found, processes=processes, min_processes=fewest, max_time_s=None)
    if budget is not None:
        found = replace(found, budget_s=budget, max_time_s=None)
    if precision is not None:
        found = replace(found, precision=precision, stops_early=True)
    return found


def with_plan(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `plan_options` and one per axis; it gets them as `options`."""
    shared = _parameters(plan_options)
    own = _parameters(command)
    del shared["axes"], own["options"]
    axes = {f"axis_{axis.name}": axis for axis in AXES}
    place = 1 + list(shared).index("device")
    parameters = list(shared.values())
    parameters[place:place] = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=[],
            annotation=Annotated[list[str], typer.Option(axis.option, help=axis.option_help)],
        )
        for name, axis in axes.items()
    ]
    parameters += own.values()

    @wraps(command)
    def run(**given: Any) -> None:
        values = {axis.name: tuple(given[name]) for name, axis in axes.items()}
        plan = plan_options(axes=values, **{name: given[name] for name in shared})
        command(options=plan, **{name: given[name] for name in own})

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run  # typer reads both


def _parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """The parameters of a function, with their annotations as types instead of text."""
    hints = get_type_hints(function, include_extras=True)
    found = inspect.signature(function).parameters.items()
    return {name: one.replace(annotation=hints[name]) for name, one in found}
