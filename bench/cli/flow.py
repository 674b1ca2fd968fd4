"""From options to the page: what `bench run` does, in the order in which the data flows."""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import psutil

from bench.cli.report import page_name
from bench.core.architecture import Weights
from bench.core.case import Status
from bench.core.errors import BenchError, OutputError, UsageError
from bench.core.paths import REPORTS, RESULTS
from bench.core.utc import utc_now
from bench.plan.corpus import read as read_text
from bench.plan.estimate import estimate
from bench.plan.grid import make_cases, with_weights_to_read
from bench.plan.options import Options
from bench.plan.registry import pick_models, pick_suites
from bench.results import store as records
from bench.results.validate import file_name
from bench.runner.server import launcher
from bench.runner.signals import StopRequest
from bench.runner.start import make_runner
from bench.terminal import plan
from bench.terminal.progress import TerminalDisplay

if TYPE_CHECKING:
    from bench.runner.prepare import Prepared
    from bench.stats.analysis import Analysis

BUSY = 0.5
"""A load average above this share of the cores, before a run, is worth a note."""


def show_plan(options: Options) -> None:
    """Print the plan of `bench run` (needs no torch)."""
    models = pick_models(options.models)
    cases, notes = make_cases(pick_suites(options.suites, options.text), models, options)
    if options.text is not None:
        read_text(Path(options.text))  # a file that `bench run` would refuse is refused here
    if options.weights is Weights.RANDOM:
        random = {m.name: "as asked" for m in models if m.architecture is not None}
        cases, notes = with_weights_to_read(cases, notes, random)
    display = TerminalDisplay()
    plan.show_plan(display.console, cases, estimate(cases, models, options.sampling))
    for note in notes:
        display.note(note)


def run(options: Options, output: Path | None) -> int:
    """A new run, from options to page; returns the exit code."""
    from bench.runner.preflight import verify_weights
    from bench.runner.prepare import prepare

    directory = output or records.new_directory(RESULTS, datetime.now(timezone.utc))
    if output is not None and output.exists() and not output.is_dir():
        raise UsageError(f"--output is {output}: that is a file; give a directory")
    writer = records.open_run(directory)
    try:
        prepared = prepare(options, log=log)
        sanity = verify_weights(prepared, launcher(), log)
    except BaseException:
        writer.abandon()
        raise
    try:
        environment = prepared.describe(file_name(directory.resolve().name), utc_now())
        environment["warnings"].extend(_busy())
        environment["sanity"] = sanity
        return _measure(prepared, writer, environment, {}, {})
    finally:
        writer.close()


def resume(directory: Path) -> int:
    """Finish an interrupted run: only what is missing is measured."""
    from bench.runner.resume import carry_over, restore

    records.read_environment(directory)
    writer = records.open_run(directory, resume=True)
    try:
        prepared, found = restore(directory)
        return _measure(prepared, writer, found.environment, *carry_over(found, writer))
    finally:
        writer.close()


def log(text: str) -> None:
    """Write a line about what is going on, apart from the results."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _measure(
    prepared: Prepared,
    writer: records.RunWriter,
    environment: dict[str, Any],
    done: dict[str, Status],
    processes: dict[str, set[int]],
) -> int:
    from bench.runner.finalize import conclude, time_spent
    from bench.terminal.summary import show_outcome

    display, stop = TerminalDisplay(), StopRequest()
    runner = make_runner(prepared, writer, display)
    runner.stopping, runner.done, runner.processes = stop, done, processes
    runner.before_s = time.time() - psutil.Process().create_time()
    with stop.handling_signals():
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
            raise OutputError(f"cannot go on: {error}. {writer.resume_hint()}") from error
        finally:
            display.stop()
        before = environment.get("time_spent") or {}
        environment["time_spent"] = time_spent(runner.spent, time.monotonic() - began, before)
        outcome = conclude(writer, environment, state)
        page = _page(display, outcome.analysis)
        return show_outcome(display.console, outcome, runner.done, page)


def _page(display: TerminalDisplay, analysis: Analysis) -> Path | None:
    """Write the run's page; without it the results are as good, so a failure is only noted."""
    from bench.report import write_report

    directory = analysis.run.directory
    try:
        return write_report([analysis], REPORTS / page_name([directory]))
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
