"""What the verbs of the gate do: baseline, check and compare."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console

from bench.compare import baselines
from bench.compare.findings import Comparison, joined
from bench.compare.formats import Format, document, readable, scaled, show
from bench.compare.thresholds import Thresholds
from bench.compare.thresholds import read as read_thresholds
from bench.core.errors import UsageError, check_seconds
from bench.core.paths import RESULTS
from bench.gate.cases import Asked, Timed, opener, timed_cases
from bench.gate.environments import Side, resolve
from bench.gate.paired_gate import Clock, PairedGate, differing
from bench.gate.process_pair import SIDES
from bench.results import store as records
from bench.terminal.progress import TerminalDisplay, console

STUDY = "noise-study"


@dataclass(frozen=True)
class PairedOptions:
    """What the paired gate is asked: against what, which cases, and how long (seconds)."""

    against: str
    asked: Asked
    clock: Clock
    max_time_s: float
    timeout_s: float
    seed: int

    def __post_init__(self) -> None:
        if self.clock is Clock.CPU and self.asked.device != "cpu":
            raise UsageError("--clock is cpu: CPU time says nothing of a CUDA device; use wall")
        check_seconds("--max-time", self.max_time_s)
        check_seconds("--timeout", self.timeout_s)


def baseline(run: Path, name: str) -> int:
    """Keep a run as a baseline."""
    directory, left_out = baselines.keep(run, name)
    out = console()
    out.print(f"kept as {directory}; commit it", markup=False, soft_wrap=True)
    for what in left_out:
        out.print(f"left out, too large to commit: {what}", markup=False, soft_wrap=True)
    return 0


def compare(baseline: str, candidate: str, threshold: str | None, form: Format) -> int:
    """Compare two stored runs."""
    from bench.compare import stored_runs as stored

    old, new = (stored.read(baselines.find(name)) for name in (baseline, candidate))
    return show(stored.compare(old, new, read_thresholds(Path(), threshold)), form)


def check(
    baseline: str | None, paired: PairedOptions | None, threshold: str | None, form: Format
) -> int:
    """Run the gates that were asked for, exact ones first, and show what all of them found."""
    if baseline is None and paired is None:
        raise UsageError(
            "nothing to check against: give --baseline NAME for exact figures, "
            "--against PYTHON_OR_REF for time, or both"
        )
    limits = read_thresholds(Path(), threshold)
    # stdout is for the comparison alone, so that it can be read by a program.
    display = TerminalDisplay(Console(stderr=True, highlight=False))
    found = []
    if baseline is not None:
        from bench.gate import exact as remeasure

        found.append(remeasure.check(baselines.find(baseline), RESULTS, display))
    if paired is not None:
        found.append(_paired(paired, limits, display))
    return show(joined(found), form)


def _paired(options: PairedOptions, limits: Thresholds, display: TerminalDisplay) -> Comparison:
    """Time two environments side by side; raw samples are kept under results/checks."""
    sides = dict(zip(SIDES, resolve(options.against, Path.cwd(), display.note), strict=True))
    asked = options.asked
    cases = timed_cases(asked)
    _refuse_foreign_code(sides, cases)

    directory = records.new_directory(RESULTS / "checks", datetime.now(timezone.utc))
    writer = records.open_run(directory)
    try:
        gate = PairedGate(
            cases=[case.id for case in cases],
            thresholds=limits,
            open_pair=opener(sides, cases, asked, options.seed, options.timeout_s),
            writer=writer,
            note=display.note,
            max_time_s=options.max_time_s,
            clock=options.clock,
            seed=options.seed,
        )
        old, new = (sides[name].label for name in SIDES)
        findings = gate.run()
        notes = differing(gate.versions)
        comparison = Comparison(old, new, findings, gate=True, notes=notes)
        kept = {**document(comparison), "versions": gate.versions}
        records.write_json(directory / "check.json", kept)
    finally:
        writer.close()
    display.note(f"raw samples: {directory}")
    return comparison


def _refuse_foreign_code(sides: Mapping[str, Side], cases: Sequence[Timed]) -> None:
    """Between two refs of another project our models would be the same twice: say so instead."""
    trees_alone = len({side.paths for side in sides.values()}) > len(
        {side.python for side in sides.values()}
    )
    ours = all(side.is_ours for side in sides.values())
    if trees_alone and not ours and any(case.model is not None for case in cases):
        raise UsageError(
            "both sides would run the same code: this is no checkout of bench, so name your own "
            "with --model module:function"
        )


def noise(asked: Asked, pairs: int, clock: Clock, timeout_s: float, seed: int) -> int:
    """Measure equal sides, and say what this machine can gate on."""
    from bench.gate import aa_noise as noises

    if pairs < noises.LEAST_PAIRS:
        raise UsageError(f"--pairs is {pairs}: a spread needs {noises.LEAST_PAIRS} or more")
    check_seconds("--timeout", timeout_s)
    display = TerminalDisplay(Console(stderr=True, highlight=False))
    recorded = noises.record(asked, pairs, RESULTS / "noise", timeout_s, seed, display.note)
    console().print(noises.show(recorded, clock), markup=False, soft_wrap=True)
    return 0


def study(
    asked: Asked, sessions: int, gate_runs: int, clock: Clock, timeout_s: float, seed: int
) -> int:
    """Record (or go on with) the study of the gate's error rates, and write what it shows."""
    from bench.gate import study as studies
    from bench.gate import study_report as verify

    for option, count in (("--sessions", sessions), ("--gate-runs", gate_runs)):
        if count < 0:
            raise UsageError(f"{option} is {count}: give 0 or more")
    check_seconds("--timeout", timeout_s)
    display = TerminalDisplay(Console(stderr=True, highlight=False))
    directory = RESULTS / STUDY
    made = studies.Study(
        directory, asked, sessions, gate_runs, clock, timeout_s, seed, display.note
    )
    facts = made.run()
    page = verify.report(records.read_table(directory, "pairs"), facts, clock)
    studies.publish(directory, baselines.BASELINES / STUDY, page)
    console().print(page, markup=False, soft_wrap=True)
    display.note(f"kept in {baselines.BASELINES / STUDY}; commit it")
    return 0


def history(runs: Sequence[Path], metric: str) -> int:
    """Print the course of a metric over runs, with its steps."""
    from rich.table import Table

    from bench.compare.history import courses

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
    return 0
