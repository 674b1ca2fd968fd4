"""`bench noise --study`: does the gate keep its promises on a real machine? Recorded, resumable.

Two parts. *Sessions*: process pairs whose candidate does a calibrated share of extra work (none, 2,
5 and 10 %), in turn, over four cases. *Gate runs*: real runs of the paired gate, half of them over
identical sides and half over a candidate 5 % slower. The pairs that each of these takes before its
first analysis, whatever they say, are sessions as well. `bench/gate/study_report.py` computes the
results.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.compare.thresholds import Thresholds
from bench.core.errors import NothingMeasuredError, UsageError
from bench.gate.aa_noise import identical_sides, opened, take
from bench.gate.cases import Asked, Timed, opener, timed_cases
from bench.gate.clocks import JudgedClock
from bench.gate.paired_gate import Note, PairedGate
from bench.gate.sampling import AS_GIVEN
from bench.gate.sequential_test import ANALYSES
from bench.gate.sides import Side
from bench.machine.fingerprint import machine
from bench.results import store as records
from bench.results.atomic import write_json, write_text

if TYPE_CHECKING:
    import pandas as pd

SLOWDOWNS = (0.0, 0.02, 0.05, 0.10)
THRESHOLD = 0.05
CALIBRATIONS = 3
"""Fresh pairs whose sides calibrate the extra work; the median is taken."""
GATE_MAX_S = 1800.0
FROM_GATE_RUNS = 10_000
"""From here on pairs are numbered that were taken in gate runs."""
FACTS = "study.json"
NAME = "noise-study"
"""The directory of a study, in results/ and among the baselines."""


@dataclass
class Facts:
    """What the study has besides its tables; written after each step, so that it can go on."""

    units: dict[str, float] = field(default_factory=dict)
    """The share by which one unit of extra work slows a forward, by case."""
    gate_runs: list[dict[str, Any]] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)
    """What was asked, which clock is judged and the seed: whoever goes on with it asks the same."""

    def extra_units(self, slowdown: float) -> dict[str, int]:
        """Units of extra work that make each case that much slower, rounded to whole ones."""
        return {case: round(slowdown / unit) for case, unit in self.units.items()}


@dataclass(frozen=True)
class Study:
    """One study: what is timed, how much of it, and where it is kept."""

    directory: Path
    asked: Asked
    sessions: int
    gate_runs: int
    clock: JudgedClock
    timeout_s: float
    seed: int
    note: Note

    def run(self) -> Facts:
        """Do what is still missing; an interrupted study goes on where it was."""
        cases = timed_cases(self.asked)
        writer = records.open_run(self.directory, resume=self.directory.exists())
        try:
            facts = self._facts()
            facts.terms = self._terms(facts.terms)
            if not facts.units:
                self.note("calibrating the extra work")
                facts.units = self._calibrate(cases)
                facts.machine = machine()
                self._keep(facts)
            self._sessions(writer, cases, facts)
            for number in range(len(facts.gate_runs), self.gate_runs):
                self.note(f"gate run {number + 1} of {self.gate_runs}")
                facts.gate_runs.append(self._gate_run(writer, cases, facts, number))
                self._keep(facts)
        finally:
            writer.close()
        return facts

    def _facts(self) -> Facts:
        path = self.directory / FACTS
        if not path.exists():
            return Facts()
        return Facts(**json.loads(path.read_text(encoding="utf-8")))

    def _terms(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """The terms of this study; UsageError where it was begun with others, for it would mix."""
        asked = {**asdict(self.asked), "dtype": self.asked.dtype.value}
        own = {**asked, "clock": self.clock.column, "seed": self.seed}
        terms: dict[str, Any] = json.loads(json.dumps(own))  # as they are read back
        for name, value in terms.items():
            if kept and kept.get(name) != value:
                raise UsageError(
                    f"{self.directory} was begun with {name} {kept.get(name)}, not {value}: give "
                    "the options it was begun with, or move it away for a new study"
                )
        return terms

    def _keep(self, facts: Facts) -> None:
        write_json(self.directory / FACTS, asdict(facts))

    def _open(self, cases: Sequence[Timed], extra: Mapping[str, int]) -> Any:
        sides = identical_sides(Path.cwd())
        return opener(sides, cases, self.asked, self.seed, self.timeout_s, extra)

    def _calibrate(self, cases: Sequence[Timed]) -> dict[str, float]:
        found: dict[str, list[float]] = {case.id: [] for case in cases}
        for _ in range(CALIBRATIONS):
            with opened(self._open(cases, {}), cases) as pair:
                for case, shares in found.items():
                    for side in Side:
                        pair.turn(side, case, 2, AS_GIVEN)
                        took = pair.ask(side, {"do": "calibrate", "case": case})
                        shares.append(took["unit_share"])
        return {case: unit_share(case, shares) for case, shares in found.items()}

    def _sessions(self, writer: records.RunWriter, cases: Sequence[Timed], facts: Facts) -> None:
        """Slowdowns in turn, so that the machine's course falls on all of them alike."""
        done = records.read_table(self.directory, "pairs")
        for pair in range(1, self.sessions * len(SLOWDOWNS) + 1):
            left = missing(cases, done, pair)
            if not left:
                continue
            slowdown = SLOWDOWNS[(pair - 1) % len(SLOWDOWNS)]
            self.note(f"session {pair} of {self.sessions * len(SLOWDOWNS)}: {slowdown:.0%} slower")
            open_pair = self._open(left, facts.extra_units(slowdown))
            take(open_pair, writer, left, pair, stage(slowdown), self.seed)

    def _gate_run(
        self, study: records.RunWriter, cases: Sequence[Timed], facts: Facts, number: int
    ) -> dict[str, Any]:
        """One real gate run: identical sides, or one case in four slower by the threshold."""
        slowed = number % 2 == 1
        victim = random.Random(f"{self.seed}/{number}").choice(cases).id  # noqa: S311
        extra = {victim: facts.extra_units(THRESHOLD)[victim]} if slowed else {}
        writer = records.open_run(self.directory / "gate-runs" / f"{number:03d}-{int(time.time())}")
        began = time.monotonic()
        try:
            findings = PairedGate(
                cases=[case.id for case in cases],
                thresholds=Thresholds(THRESHOLD),
                open_pair=self._open(cases, extra),
                writer=writer,
                note=self.note,
                max_time_s=GATE_MAX_S,
                clock=self.clock,
                seed=self.seed + number,
            ).run()
        finally:
            writer.close()
        found = records.read_table(writer.directory, "pairs")
        study.append("pairs", opening(found, victim if slowed else "", number))
        return {
            "slowed": victim if slowed else "",
            "seconds": time.monotonic() - began,
            "verdicts": {f.case: f.verdict.value for f in findings},
        }


def read_study(directory: Path) -> tuple[pd.DataFrame, Facts]:
    """The pairs and facts of a study that was kept; UsageError where there is none."""
    path = directory / FACTS
    try:
        facts = Facts(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} cannot be read as a study's facts: {error}") from None
    pairs = records.read_table(directory, "pairs")
    if pairs.empty:
        raise UsageError(f"{directory} has no pairs: give the directory of a study, with pairs.csv")
    return pairs, facts


def missing(cases: Sequence[Timed], done: pd.DataFrame, pair: int) -> list[Timed]:
    """The cases of a pair that are not recorded yet: it may have been interrupted within."""
    recorded = set(done.loc[done["pair"] == pair, "case"])
    return [case for case in cases if case.id not in recorded]


def unit_share(case: str, shares: Sequence[float]) -> float:
    """The median of a case's calibrations; NothingMeasuredError where it can slow nothing down."""
    share = statistics.median(shares)
    if not share > 0:
        raise NothingMeasuredError(
            f"a unit of extra work slows {case} by {share:.2%}, so noise hides it: close other "
            "programs, or name a model with shorter forwards"
        )
    return share


def opening(pairs: pd.DataFrame, victim: str, number: int) -> list[dict[str, Any]]:
    """What a gate run took of every case before its first analysis, as rows of the study's pairs.

    Later pairs are only taken where these do not decide, so they are not like any other.
    """
    first = pairs[pairs["pair"] <= ANALYSES[0]]
    numbered = first.assign(
        pair=FROM_GATE_RUNS + number * ANALYSES[0] + first["pair"],
        stage=[stage(THRESHOLD if case == victim else 0.0) for case in first["case"]],
    )
    return [dict(zip(numbered.columns, row, strict=True)) for row in numbered.to_numpy()]


def stage(slowdown: float) -> str:
    """What the rows of sessions with a slowdown are called."""
    return f"slower-{slowdown:.2f}"


def publish(study: Path, target: Path, report: str) -> None:
    """Keep a study's small files and its report where they can be committed."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("pairs.csv", FACTS):
        shutil.copyfile(study / name, target / name)
    write_text(target / "README.md", report)
