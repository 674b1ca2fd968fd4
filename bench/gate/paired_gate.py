"""The paired gate: fresh process pairs until every case has a verdict or the time is spent."""

from __future__ import annotations

import itertools
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.compare.findings import Finding, Verdict
from bench.compare.thresholds import Thresholds
from bench.core.events import Phase
from bench.gate.clocks import JudgedClock
from bench.gate.sampling import log_ratio, sample
from bench.gate.sequential_test import CaseTest, t_interval
from bench.gate.sides import CaseError, Pair, Side, SideError, Turn
from bench.results import store as records

OpenPair = Callable[[Sequence[str]], Pair]
"""Starts a process pair that has loaded these cases."""
Note = Callable[[str], None]
MINUTE = 60.0
OUTPUTS = "outputs"
"""What stands as the metric where outputs differ."""
REMEDY = "give a larger --threshold, or close other programs"


@dataclass
class _Evidence:
    """What is known of one case so far: its test, and what goes into its finding."""

    test: CaseTest
    other_logs: list[float] = field(default_factory=list)
    """Log-ratios by the clock that is not judged, to be shown beside it."""
    seconds: dict[Side, list[float]] = field(default_factory=lambda: {s: [] for s in Side})
    failure: str = ""
    difference: str = ""
    """How the candidate's outputs differ from the baseline's; empty where they do not."""
    presence: Verdict = Verdict.FAILED
    """What a failure means: that one side has no such case (new, missing), or just that."""

    @property
    def is_open(self) -> bool:
        """Whether more pairs are wanted."""
        return not self.failure and self.test.verdict is None


@dataclass
class PairedGate:
    """One gate run; `open_pair` and `now` (seconds that never go back) are its seams."""

    cases: Sequence[str]
    thresholds: Thresholds
    open_pair: OpenPair
    writer: records.RunWriter
    note: Note
    max_time_s: float
    clock: JudgedClock = JudgedClock.WALL
    seed: int = 0
    now: Callable[[], float] = time.monotonic
    versions: Mapping[Side, Mapping[str, str]] = field(default_factory=dict, init=False)
    """By side, what it ran on; empty when no pair could be started."""
    _known: dict[str, _Evidence] = field(default_factory=dict, init=False)

    def run(self) -> list[Finding]:
        """Take pairs until all is decided; the findings of each case, in the order given."""
        tests = {c: CaseTest(self.thresholds.of(c), len(self.cases)) for c in self.cases}
        self._known = {case: _Evidence(test) for case, test in tests.items()}
        began, longest, pair = self.now(), 0.0, 0
        while left := [case for case, known in self._known.items() if known.is_open]:
            # The next pair may take as long as the longest so far.
            if pair and self.now() - began + longest > self.max_time_s:
                break
            pair += 1
            start = self.now()
            self.note(self._progress(pair, left, start - began))
            self._take(pair, left)
            longest = max(longest, self.now() - start)
        return [found for case in self.cases for found in self._findings(case, longest)]

    def _progress(self, pair: int, left: Sequence[str], spent_s: float) -> str:
        suspects = sum(self._known[case].test.suspected for case in left)
        text = f"pair {pair}: {len(left)} of {len(self.cases)} cases open"
        if suspects:
            text += f", {suspects} suspected and to be confirmed"
        return f"{text}; {spent_s:.0f} s spent"

    def _take(self, pair: int, left: Sequence[str]) -> None:
        """One fresh pair over the cases that are open; a side that dies fails what is left."""
        pending = list(left)
        try:
            processes = self.open_pair(left)
        except SideError as error:
            self._fail(pending, str(error))
            return
        try:
            self.versions = processes.versions()
            for case, reasons in processes.failed().items():
                self._fail([case], " and ".join(f"{s}: {why}" for s, why in reasons.items()))
                self._known[case].presence = presence(case, reasons)
            pending = [case for case in left if case not in processes.failed()]
            for case in list(pending):
                self._sample(processes, pair, case)
                pending.remove(case)
        except SideError as error:
            self._fail(pending, str(error))
        finally:
            processes.close()

    def _sample(self, processes: Pair, pair: int, case: str) -> None:
        rng = random.Random(f"{self.seed}/{pair}/{case}")  # noqa: S311 - an order, not a key
        try:
            sampled = sample(processes, case, rng, self.now)
        except CaseError as error:
            self._fail([case], str(error))
            return
        known, turns = self._known[case], sampled.turns
        known.difference = known.difference or sampled.difference
        stage = "fresh" if known.test.suspected else "screen"
        logs = {clock: log_ratio(turns, clock.column) for clock in JudgedClock}
        write_pair(self.writer, case, pair, stage, turns)
        judged, rounds = logs[self.clock]
        if not rounds:
            self._fail([case], "its forwards are too short for this machine's clock")
            return
        known.test.add(judged)
        known.other_logs.append(logs[self.clock.other][0])
        for side in Side:
            times = [
                getattr(t, self.clock.column)
                for t in turns
                if t.side is side and t.phase is Phase.SAMPLE
            ]
            known.seconds[side].append(statistics.median(times))

    def _fail(self, cases: Sequence[str], reason: str) -> None:
        for case in cases:
            self._known[case].failure = reason

    def _findings(self, case: str, pair_s: float) -> list[Finding]:
        """The verdict on a case's seconds, and before it one on its outputs where they differ."""
        note = self._known[case].difference
        different = [Finding(case, OUTPUTS, Verdict.DIFFERENT, note=note)] if note else []
        return [*different, self._finding(case, pair_s)]

    def _finding(self, case: str, pair_s: float) -> Finding:
        known = self._known[case]
        test, metric = known.test, self.clock.metric
        ratio, low, high = test.interval()
        finding = Finding(
            case,
            metric,
            Verdict.FAILED,
            "s",
            ratio=ratio,
            low=low,
            high=high,
            threshold=test.threshold,
        )
        if test.pairs:
            medians = {s: statistics.median(known.seconds[s]) for s in Side}
            finding = replace(
                finding, baseline=medians[Side.BASELINE], candidate=medians[Side.CANDIDATE]
            )
        if known.failure:
            return replace(finding, verdict=known.presence, note=known.failure)
        verdict = test.verdict or Verdict.UNKNOWN
        return replace(finding, verdict=verdict, note=_told(known, verdict, pair_s, self.clock))


def differing(versions: Mapping[Side, Mapping[str, str]]) -> list[str]:
    """A sentence for each thing of which the sides run different versions.

    An environment built for a ref has the newest that the ref allows, unless it pins them.
    """
    old, new = (versions.get(side, {}) for side in Side)
    return [
        f"{name} is {old[name]} in the baseline and {new[name]} in the candidate: what is found "
        "may be its doing, not the code's"
        for name in old
        if old[name] != new.get(name)
    ]


def presence(case: str, reasons: Mapping[Side, str]) -> Verdict:
    """New or missing where just one side has no such model; else failed."""
    if len(reasons) != 1:
        return Verdict.FAILED
    (side, reason), name = *reasons.items(), case.partition("/")[2]
    if not _absent(name, reason):
        return Verdict.FAILED
    return Verdict.NEW if side is Side.BASELINE else Verdict.MISSING


def _absent(name: str, reason: str) -> bool:
    """Whether a side's reason says that it has no such function, module or model at all."""
    module, _, function = name.partition(":")
    parents = list(itertools.accumulate(module.split("."), lambda a, b: f"{a}.{b}"))
    known = (
        f"AttributeError: module '{module}' has no attribute '{function}'",
        *(f"ModuleNotFoundError: No module named '{parent}'" for parent in parents),
        f"UsageError: no model '{name.partition('/')[0]}'",
    )
    return reason.startswith(known)


def _told(known: _Evidence, verdict: Verdict, pair_s: float, clock: JudgedClock) -> str:
    """What stands beside a verdict: pairs, CPU time, and what an unknown one would take."""
    test = known.test
    parts = [f"{test.pairs} pairs"]
    if test.suspected:
        confirmed = "" if verdict is Verdict.SLOWER else "not "
        if verdict is not Verdict.UNKNOWN:
            parts.append(f"suspicion {confirmed}confirmed by {len(test.fresh)} fresh ones")
    other, low, high = t_interval([log for log in known.other_logs if not math.isnan(log)])
    if not math.isnan(other):
        bounds = "" if math.isnan(low) else f" [{low:.3f}, {high:.3f}]"
        parts.append(f"{clock.other.label} {other:.3f}x{bounds}")
    if verdict is Verdict.UNKNOWN:
        more = test.more()
        minutes = math.ceil(more * pair_s / MINUTE)
        # The test itself gave up, or there was no time for it to go on.
        way = REMEDY if test.verdict is verdict else f"add {minutes} min to --max-time"
        parts.append(f"about {more} more pairs would decide: {way}")
    return "; ".join(parts)


def write_pair(
    writer: records.RunWriter, case: str, pair: int, stage: str, turns: Sequence[Turn]
) -> None:
    """Keep the raw forwards of a pair, and the log-ratios that were made of them."""
    key = {"case": case, "pair": pair}
    writer.append("turns", ({**key, **vars(turn)} for turn in turns))
    (wall, rounds), (cpu, _) = log_ratio(turns, "wall_s"), log_ratio(turns, "cpu_s")
    means = {
        f"{side}_mean_s": statistics.mean(
            t.wall_s for t in turns if t.side == side and t.phase != Phase.WARMUP
        )
        for side in Side
    }
    logs = {"wall_log_ratio": wall, "cpu_log_ratio": cpu, "rounds": rounds}
    writer.append("pairs", [{**key, "stage": stage, **logs, **means}])
