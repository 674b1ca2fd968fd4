"""The paired gate as asked for on the command line: which sides, which cases, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from bench.compare.findings import Comparison
from bench.compare.formats import document
from bench.compare.thresholds import Thresholds
from bench.core.errors import UsageError, check_seconds
from bench.core.paths import RESULTS
from bench.gate.cases import Asked, Timed, opener, timed_cases
from bench.gate.clocks import JudgedClock, usual_clock
from bench.gate.environments import Environment, resolve
from bench.gate.paired_gate import PairedGate, differing
from bench.gate.sides import Side
from bench.results import store as records
from bench.results.atomic import write_json


@dataclass(frozen=True)
class PairedOptions:
    """What the paired gate is asked: against what, which cases, and how long (seconds).

    `clock` None means the usual one of these cases.
    """

    against: str
    asked: Asked
    clock: JudgedClock | None
    max_time_s: float
    timeout_s: float
    seed: int

    def __post_init__(self) -> None:
        if self.clock is JudgedClock.CPU and self.asked.device != "cpu":
            raise UsageError("--clock is cpu: CPU time says nothing of a CUDA device; use wall")
        check_seconds("--max-time", self.max_time_s)
        check_seconds("--timeout", self.timeout_s)

    @property
    def judged(self) -> JudgedClock:
        """The clock that is judged."""
        return self.clock or usual_clock(self.asked.threads, self.asked.device)


def compare_trees(
    options: PairedOptions, thresholds: Thresholds, note: Callable[[str], None]
) -> Comparison:
    """Time two environments side by side; raw samples are kept under results/checks."""
    sides = dict(zip(Side, resolve(options.against, Path.cwd(), note), strict=True))
    asked = options.asked
    cases = timed_cases(asked)
    _refuse_foreign_code(sides, cases)

    directory = records.new_directory(RESULTS / "checks", datetime.now(timezone.utc))
    writer = records.open_run(directory)
    try:
        gate = PairedGate(
            cases=[case.id for case in cases],
            thresholds=thresholds,
            open_pair=opener(sides, cases, asked, options.seed, options.timeout_s),
            writer=writer,
            note=note,
            max_time_s=options.max_time_s,
            clock=options.judged,
            seed=options.seed,
        )
        old, new = (sides[name].label for name in Side)
        findings = gate.run()
        notes = [clock_note(options), *differing(gate.versions)]
        comparison = Comparison(old, new, findings, gate=True, notes=notes)
        kept = {**document(comparison), "versions": gate.versions}
        write_json(directory / "check.json", kept)
    finally:
        writer.close()
    note(f"raw samples: {directory}")
    return comparison


def clock_note(options: PairedOptions) -> str:
    """Which seconds were judged, and how to judge the others."""
    if options.judged is JudgedClock.WALL:
        return "wall seconds are judged"
    if options.clock is not None:
        return "CPU seconds are judged (--clock cpu)"
    return "CPU seconds are judged, as is usual on one CPU thread (--clock wall for wall seconds)"


def _refuse_foreign_code(sides: Mapping[Side, Environment], cases: Sequence[Timed]) -> None:
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
