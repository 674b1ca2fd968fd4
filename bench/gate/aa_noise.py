"""`bench noise`: identical sides on this machine, and the smallest regression it can gate on."""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

from bench.compare.findings import Verdict
from bench.compare.thresholds import USUAL_MAX_S
from bench.core.errors import NothingMeasuredError
from bench.gate.cases import Asked, Timed, opener, timed_cases
from bench.gate.clocks import JudgedClock
from bench.gate.environments import Environment, import_paths
from bench.gate.paired_gate import Note, OpenPair, write_pair
from bench.gate.sampling import sample
from bench.gate.sequential_test import effect
from bench.gate.sides import CaseError, Pair, Side, SideError
from bench.gate.simulate import GateRun, gate_run, share
from bench.results import store as records

THRESHOLDS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.10, 0.15, 0.20, 0.30, 0.50)
TRIALS = 400
"""Simulated gate runs per threshold: enough to separate 95 % from 90 %."""
LEAST_PAIRS = 3
MOST_ALARMS, LEAST_FOUND = 0.01, 0.95
MINUTE = 60.0

P = TypeVar("P", bound=Pair)


@dataclass(frozen=True)
class Prospect:
    """What a gate with this threshold would do here; times in seconds, the rest as shares."""

    threshold: float
    equal_s: float
    slower_s: float
    alarms: float
    found: float
    unknown: float
    needed_s: float
    """A --max-time that suffices for both promises and for verdicts; infinite where none does."""

    @property
    def holds(self) -> bool:
        """Whether both promised error rates are kept, with a verdict on identical sides."""
        return self.alarms < MOST_ALARMS and math.isfinite(self.needed_s)


@dataclass(frozen=True)
class Recorded:
    """Log-ratios of identical sides by case, in the order of pairs; seconds that a pair takes."""

    logs: Mapping[JudgedClock, Mapping[str, Sequence[float]]]
    pair_s: float


def identical_sides(directory: Path) -> dict[Side, Environment]:
    """This interpreter over this tree, twice."""
    here = Environment("this tree", Path(sys.executable), import_paths(directory), is_ours=False)
    return dict.fromkeys(Side, here)


def record(
    asked: Asked, pairs: int, root: Path, timeout_s: float, seed: int, note: Note
) -> Recorded:
    """Take so many pairs of identical sides; every forward is kept below `root`."""
    cases = timed_cases(asked)
    open_pair = opener(identical_sides(Path.cwd()), cases, asked, seed, timeout_s)
    writer = records.open_run(records.new_directory(root, datetime.now(timezone.utc)))
    began = time.monotonic()
    try:
        for pair in range(1, pairs + 1):
            note(f"pair {pair} of {pairs}; {time.monotonic() - began:.0f} s spent")
            take(open_pair, writer, cases, pair, "equal", seed)
        took = time.monotonic() - began
        table = records.read_table(writer.directory, "pairs")
    finally:
        writer.close()
    note(f"raw samples: {writer.directory}")
    logs = {
        clock: {
            str(case): rows[column].to_list() for case, rows in table.groupby("case", sort=False)
        }
        for clock, column in (
            (JudgedClock.WALL, "wall_log_ratio"),
            (JudgedClock.CPU, "cpu_log_ratio"),
        )
    }
    return Recorded(logs, took / pairs)


def take(
    open_pair: OpenPair,
    writer: records.RunWriter,
    cases: Sequence[Timed],
    pair: int,
    stage: str,
    seed: int,
) -> None:
    """One process pair over all cases, kept under the name of a stage."""
    with opened(open_pair, cases) as processes:
        for case in cases:
            rng = random.Random(f"{seed}/{pair}/{case.id}")  # noqa: S311 - an order, not a key
            write_pair(writer, case.id, pair, stage, sample(processes, case.id, rng).turns)


@contextmanager
def opened(open_pair: Callable[[Sequence[str]], P], cases: Sequence[Timed]) -> Iterator[P]:
    """A process pair over cases that all have to run; NothingMeasuredError where one does not."""
    try:
        processes = open_pair([case.id for case in cases])
        try:
            for reasons in processes.failed().values():
                raise CaseError(" and ".join(f"{s}: {why}" for s, why in reasons.items()))
            yield processes
        finally:
            processes.close()
    except (SideError, CaseError) as error:
        raise NothingMeasuredError(f"a pair could not be measured: {error}") from None


def prospects(spreads: Sequence[float], pair_s: float, seed: int = 0) -> list[Prospect]:
    """The decision rule, simulated at each threshold with the spreads (sd) of the cases."""
    return [_prospect(threshold, spreads, pair_s, seed) for threshold in THRESHOLDS]


def _prospect(threshold: float, spreads: Sequence[float], pair_s: float, seed: int) -> Prospect:
    rng = random.Random(seed)  # noqa: S311 - a simulation
    equal = [(lambda sd=sd: rng.gauss(0, sd)) for sd in spreads]
    true = effect(threshold)
    slower = [lambda: rng.gauss(true, max(spreads)), *equal[1:]]
    at_peace = [gate_run(equal, threshold) for _ in range(TRIALS)]
    at_fault = [gate_run(slower, threshold) for _ in range(TRIALS)]
    return Prospect(
        threshold,
        statistics.median(r.pairs for r in at_peace) * pair_s,
        statistics.median(r.pairs for r in at_fault) * pair_s,
        share(at_peace, lambda r: Verdict.SLOWER in r.verdicts),
        share(at_fault, lambda r: r.verdicts[0] is Verdict.SLOWER),
        share(at_peace, lambda r: Verdict.UNKNOWN in r.verdicts),
        pair_s
        * max(
            _pairs_needed(at_fault, lambda r: r.verdicts[0] is Verdict.SLOWER, LEAST_FOUND),
            _pairs_needed(at_peace, lambda r: Verdict.UNKNOWN not in r.verdicts, 1 - MOST_ALARMS),
        ),
    )


def _pairs_needed(runs: Sequence[GateRun], good: Callable[[GateRun], bool], wanted: float) -> float:
    """Pairs after which more than a wanted share of runs have ended well; one more for the clock.

    `check` starts no pair that may end too late, as long as the longest so far.
    """
    taken = sorted(run.pairs if good(run) else math.inf for run in runs)
    return taken[math.floor(wanted * len(taken))] + 1


def show(recorded: Recorded, clock: JudgedClock) -> str:
    """The noise of each case and what it allows, as a Markdown table and a sentence."""
    spreads = {case: statistics.stdev(logs) for case, logs in recorded.logs[clock].items()}
    lines = [
        "| case | pairs | sd of a pair, wall | sd of a pair, CPU |",
        "| --- | --- | --- | --- |",
    ]
    for case, logs in recorded.logs[JudgedClock.WALL].items():
        cpu = statistics.stdev(recorded.logs[JudgedClock.CPU][case])
        lines.append(f"| {case} | {len(logs)} | {statistics.stdev(logs):.2%} | {cpu:.2%} |")
    found = prospects(list(spreads.values()), recorded.pair_s)
    lines += [
        "",
        "| threshold | no change takes | a regression takes | false alarms | found | unknown |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines.extend(
        f"| {p.threshold:.1%} | {p.equal_s / MINUTE:.1f} min | {p.slower_s / MINUTE:.1f} min "
        f"| {p.alarms:.1%} | {p.found:.1%} | {p.unknown:.1%} |"
        for p in found
    )
    return "\n".join([*lines, "", _sentence(found, clock)])


def _sentence(found: Sequence[Prospect], clock: JudgedClock) -> str:
    holding = [p for p in found if p.holds]
    if not holding:
        return (
            "This machine is too noisy now to gate on any of these: close other programs, give "
            "fewer --threads, or judge CPU time with --clock cpu."
        )
    least = holding[0]
    return (
        f"The smallest regression that this machine can gate on by {clock.label} time is "
        f"{least.threshold:.1%}: identical sides pass after {least.equal_s / MINUTE:.1f} minutes "
        f"at the median, and a regression of that size is found after "
        f"{least.slower_s / MINUTE:.1f}."
        f"{_time_to_give(least)}"
    )


def _time_to_give(prospect: Prospect) -> str:
    """The limit to ask for, where the usual one may end too many runs before their verdict.

    An upper bound: pairs get shorter as cases are decided.
    """
    if prospect.needed_s <= USUAL_MAX_S:
        return ""
    seconds = math.ceil(prospect.needed_s / MINUTE) * MINUTE
    return (
        f" Give bench check --max-time {seconds:.0f}: in the usual {USUAL_MAX_S:.0f} s too many "
        "runs may end without a verdict."
    )
