"""What the verbs of the command line do, in the order in which the data flows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import psutil

from bench.core.architecture import Weights
from bench.core.case import Status
from bench.core.errors import BenchError, OutputError, UsageError
from bench.core.paths import LONGEST_NAME, REPORTS, RESULTS
from bench.plan.corpus import read as read_text
from bench.plan.estimate import estimate
from bench.plan.grid import make_cases, with_weights_to_read
from bench.plan.options import Options
from bench.plan.registry import pick_models, pick_suites
from bench.results import store as records
from bench.results.validate import file_name
from bench.runner.process import ProcessLauncher
from bench.runner.signals import StopRequest
from bench.runner.start import make_runner
from bench.terminal.progress import TerminalDisplay
from bench.terminal.results import show_plan

if TYPE_CHECKING:
    pass

BUSY = 0.5
"""A load average above this share of the cores, before a run, is worth a note."""


def list_plan(options: Options) -> None:
    """Print the plan of `bench run` (needs no torch)."""
    models = pick_models(options.models)
    cases, notes = make_cases(pick_suites(options.suites, options.text), models, options)
    if options.text is not None:
        read_text(Path(options.text))  # a file that `bench run` would refuse is refused here
    if options.weights is Weights.RANDOM:
        random = {m.name: "as asked" for m in models if m.architecture is not None}
        cases, notes = with_weights_to_read(cases, notes, random)
    display = TerminalDisplay()
    show_plan(display.console, cases, estimate(cases, models, options.sampling))
    for note in notes:
        display.note(note)


def run(options: Options, output: Path | None) -> int:
    """A new run, from options to page; returns the exit code."""
    from bench.runner.preflight import verify
    from bench.runner.prepare import prepare

    directory = output or records.new_directory(RESULTS, datetime.now(timezone.utc))
    if output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"--output is {output}: that is a file; give a directory")
    writer = records.open_run(directory)
    try:
        prepared = prepare(options, tell=_tell)
        sanity = verify(prepared, ProcessLauncher(), _tell)
    except BaseException:
        writer.abandon()
        raise
    try:
        environment = prepared.describe(file_name(directory.resolve().name), _now())
        environment["warnings"].extend(_busy())
        environment["sanity"] = sanity
        return _measure(prepared, writer, environment, {}, {})
    finally:
        writer.close()


def fetch(names: tuple[str, ...], revision: str | None, *, check: bool) -> None:
    """Download checkpoints ahead of a run, or check the cached ones; a line for each."""
    from bench.checkpoints import fetch as verb

    models = pick_models(names)
    if check:
        verb.check(models, revision, show=print)
    else:
        verb.fetch(models, revision, show=print, note=_tell)


def resume(directory: Path) -> int:
    """Finish an interrupted run: only what is missing is measured."""
    from bench.runner.resume import restore, take_up

    records.read_environment(directory)
    writer = records.open_run(directory, resume=True)
    try:
        prepared, found = restore(directory)
        return _measure(prepared, writer, found.environment, *take_up(found, writer))
    finally:
        writer.close()


def report(runs: Sequence[Path], output: Path | None) -> None:
    """Write the page of one run, or of several together, and say where it is."""
    from bench.report import write_report

    target = output or REPORTS / _together([_report_name(run) for run in runs])
    print(write_report(list(runs), target))  # noqa: T201 - the path is what was asked for


def _together(names: Sequence[str]) -> str:
    """What the page of these runs is called: by all of them, where that can name a directory."""
    joined = "+".join(names)
    if len(os.fsencode(joined)) <= LONGEST_NAME:
        return joined
    return f"{names[-1]}+{len(names) - 1}"


def plot(run: Path, figure: str, output: Path | None) -> None:
    """Write one figure as SVG and PNG, and say where they are."""
    from bench.report import plot as draw

    for path in draw(run, figure, output or REPORTS / _report_name(run) / "figures"):
        print(path)  # noqa: T201 - see report


def _report_name(run: Path) -> str:
    """What a run's page is called: like the run's directory."""
    return run.resolve().name


def _tell(text: str) -> None:
    """Say what is going on, apart from the results."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _measure(
    prepared: Any,
    writer: records.RunWriter,
    environment: dict[str, Any],
    done: dict[str, Status],
    repeats: dict[str, set[int]],
) -> int:
    from bench.runner.finalize import conclude, time_spent
    from bench.terminal.summary import show_outcome

    display, stop = TerminalDisplay(), StopRequest()
    runner = make_runner(prepared, writer, display)
    runner.stopping, runner.done, runner.repeats = stop, done, repeats
    with stop.heard():
        environment["run"]["state"] = "running"  # until all is summed up, again after a resume
        writer.write_environment(environment)
        for table in records.RAW:  # every file is there from the start, if only as its first line
            writer.append(table, [])
        for text in prepared.notes:
            display.note(text)
        display.start(prepared.cases, prepared.options.sampling)
        began, state = time.monotonic(), "complete"
        try:
            runner.measure()
        except KeyboardInterrupt:
            state = "interrupted"
        except OSError as error:  # no process could be started, or no temporary file be made
            raise OutputError(f"cannot go on: {error}. {writer.way_on()}") from error
        finally:
            display.stop()
        before = environment.get("time_spent") or {}
        environment["time_spent"] = time_spent(runner.spent, time.monotonic() - began, before)
        outcome = conclude(writer, environment, state)
        page = _page(display, writer.directory)
        return show_outcome(display, outcome, runner.done, prepared.notes, page)


def _page(display: TerminalDisplay, directory: Path) -> Path | None:
    """Write the run's page; without it the results are as good, so a failure is only told."""
    from bench.report import write_report

    try:
        return write_report([directory], REPORTS / _report_name(directory))
    except (BenchError, OSError) as error:
        again = f"bench report {quote(str(directory))}"
        display.note(f"no page: {error}; make it later with: {again}")
        return None


def _busy() -> list[str]:
    """A warning when something else keeps the machine busy before the run."""
    try:
        load, cores = psutil.getloadavg()[0], os.cpu_count() or 1
    except OSError:  # a container without /proc/loadavg
        return []
    if load <= BUSY * cores:
        return []
    text = (
        f"the load average was {load:.1f} on {cores} cores before the run: other programs compete "
        "with it; close them, or read ratios rather than seconds"
    )
    return [text]


def _now() -> str:
    from bench.core.utc import utc_now

    return utc_now()
