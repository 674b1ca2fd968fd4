"""What a study's sessions say of the gate, beside what a threshold on means makes of the same."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.compare.findings import Verdict
from bench.gate.aa_noise import MINUTE
from bench.gate.clocks import JudgedClock
from bench.gate.sequential_test import effect, t_interval
from bench.gate.simulate import Draw, GateRun, gate_run, resampling, share
from bench.gate.study import SLOWDOWNS, THRESHOLD, Facts, stage

if TYPE_CHECKING:
    import pandas as pd

TRIALS = 4000
COVERAGE_PAIRS = 5
"""Pairs behind an interval whose coverage is counted: about what a gate run takes."""
COLUMNS = {JudgedClock.WALL: "wall_log_ratio", JudgedClock.CPU: "cpu_log_ratio"}

HEADER = (
    "slowdown",
    "pairs per case",
    "median found",
    "sd of a pair",
    "gate: red",
    "gate: unknown",
    "gate: pairs, median",
    "gate, spread of all pairs: red",
    "mean > 5 % of a stored baseline: red",
    "mean > 5 % of the same minutes: red",
)
PROMISE = """\
Promised, over all cases of a gate run together: identical sides are red in under 1 % of runs; a
case that is slower by 5 % is found in 95 % or more, by 10 % in 99 % or more."""
LEGEND = f"""\
Gate runs are simulated ({TRIALS:,} for each figure) by drawing recorded pairs with replacement: one
case, any, is slowed and the others are equal. *red* is the share of runs that call a case slower
(with a slowdown: that case), *unknown* the share that reach no verdict on some case. *Spread of all
pairs*: the slowdown is taken to be exactly what it should be and the spread to be that of all pairs
of a case, with either sign, so that chance in a few pairs does not shift it. The last two columns
are what pytest-benchmark's `--benchmark-compare-fail=mean:5%` makes of the same forwards by wall
time: against the mean of another session, and (better than that rule ever has it) against the mean
of the other side, sampled in turn."""

Logs = Mapping[str, Sequence[float]]
Means = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Sessions:
    """One slowdown's sessions, by case: log-ratios, and mean seconds of baseline and candidate."""

    logs: Logs
    means: Means

    @property
    def count(self) -> int:
        """Pairs that every case has, 0 where a case has none."""
        return min((len(logs) for logs in self.logs.values()), default=0)


def sessions(table: pd.DataFrame, slowdown: float, clock: JudgedClock) -> Sessions:
    """The sessions with a slowdown, from a study's `pairs.csv`."""
    rows = table[table["stage"] == stage(slowdown)].sort_values("pair")
    by_case = {str(case): group for case, group in rows.groupby("case", sort=False)}
    return Sessions(
        {case: group[COLUMNS[clock]].to_list() for case, group in by_case.items()},
        {
            case: list(zip(group["baseline_mean_s"], group["candidate_mean_s"], strict=True))
            for case, group in by_case.items()
        },
    )


def report(table: pd.DataFrame, facts: Facts, clock: JudgedClock, seed: int = 0) -> str:
    """The study's results as a Markdown page; `clock` is what its real gate runs judged."""
    cpu, cores = (facts.machine.get(name, "unknown") for name in ("cpu", "cores_usable"))
    lines = [
        "# Does the gate keep its promises here?",
        "",
        f"{table['case'].nunique()} cases. Threshold: {THRESHOLD:.0%}. CPU: {cpu}; cores: {cores}.",
        "",
        PROMISE,
        "",
        *(_gate_runs(facts, clock) or ["No real gate runs yet."]),
        "",
        LEGEND,
    ]
    for one in (clock, *(c for c in JudgedClock if c is not clock)):
        lines += ["", f"## By {one.label} seconds", "", *_by(table, one, seed)]
    return "\n".join(lines) + "\n"


def _by(table: pd.DataFrame, clock: JudgedClock, seed: int) -> list[str]:
    """All that the pairs say by one clock: the table, and the intervals of identical sides."""
    every = {slowdown: sessions(table, slowdown, clock) for slowdown in SLOWDOWNS}
    lines = [f"| {' | '.join(HEADER)} |", f"| {' | '.join(['---'] * len(HEADER))} |"]
    lines.extend(_row(every, slowdown, seed) for slowdown in SLOWDOWNS)
    return [*lines, "", _coverage(every[0.0].logs, seed)]


def _row(every: Mapping[float, Sessions], slowdown: float, seed: int) -> str:
    rng = random.Random(seed)  # noqa: S311 - a simulation
    slowed, equal = every[slowdown], every[0.0]
    if min(slowed.count, equal.count) < 2 or slowed.logs.keys() != equal.logs.keys():
        red = f"{_pooled_red(every, slowdown, rng):.2%}" if equal.count > 1 else ""
        return f"| {slowdown:.0%} | {slowed.count} | | | | | | {red} | | |"
    spread = statistics.mean(statistics.stdev(logs) for logs in slowed.logs.values())
    found = statistics.median(log for logs in slowed.logs.values() for log in logs)
    drawn = [_simulated(_recorded(slowed.logs, equal.logs, rng), rng) for _ in range(TRIALS)]
    pooled_red = _pooled_red(every, slowdown, rng)
    unknown = share([run for run, _ in drawn], lambda r: Verdict.UNKNOWN in r.verdicts)
    cells = (
        f"{math.expm1(found):.1%}",
        f"{spread:.2%}",
        f"{_red(drawn, slowdown):.2%}",
        f"{unknown:.2%}",
        f"{statistics.median(run.pairs for run, _ in drawn):.0f}",
        f"{pooled_red:.2%}",
        f"{_mean_rule(slowed.means, equal.means, rng, _stored):.1%}",
        f"{_mean_rule(slowed.means, equal.means, rng, _same):.1%}",
    )
    return f"| {slowdown:.0%} | {slowed.count} | {' | '.join(cells)} |"


def _pooled_red(every: Mapping[float, Sessions], slowdown: float, rng: random.Random) -> float:
    """The share of red runs with the spread of all pairs; a slowdown needs no pairs of its own."""
    spreads = residuals(every.values())
    runs = [_simulated(_pooled(spreads, slowdown, rng), rng) for _ in range(TRIALS)]
    return _red(runs, slowdown)


Draws = Sequence[tuple[Draw, Draw]]
"""By case: where pairs come from when it is slowed, and when it is not."""


def _recorded(slowed: Logs, equal: Logs, rng: random.Random) -> Draws:
    return [(resampling(slowed[case], rng), resampling(equal[case], rng)) for case in equal]


def _pooled(spreads: Logs, slowdown: float, rng: random.Random) -> Draws:
    """Pairs around the very slowdown, and around none."""

    def around(true: float, case: str) -> Draw:
        return lambda: true + rng.choice(spreads[case]) * rng.choice((-1, 1))

    return [(around(effect(slowdown), case), around(0.0, case)) for case in spreads]


def residuals(every: Iterable[Sessions]) -> Logs:
    """By case: how far each pair lies from the mean of those with its slowdown.

    Widened by what a mean of few takes from their spread, so that the sd is that of a pair.
    """
    found: dict[str, list[float]] = {}
    for one in every:
        for case, logs in one.logs.items():
            if len(logs) > 1:
                centre, wider = statistics.mean(logs), math.sqrt(len(logs) / (len(logs) - 1))
                found.setdefault(case, []).extend((log - centre) * wider for log in logs)
    return found


def _simulated(draws: Draws, rng: random.Random) -> tuple[GateRun, int]:
    """A gate run in which one case, any, is slowed and the others are equal; and which it was."""
    victim = rng.randrange(len(draws))
    chosen = [slowed if i == victim else equal for i, (slowed, equal) in enumerate(draws)]
    return gate_run(chosen, THRESHOLD), victim


def _red(runs: Sequence[tuple[GateRun, int]], slowdown: float) -> float:
    """How often a case was called slower: the slowed one, or any where none is."""
    hits = (
        run.verdicts[victim] is Verdict.SLOWER if slowdown else Verdict.SLOWER in run.verdicts
        for run, victim in runs
    )
    return sum(hits) / len(runs)


def _stored(pairs: Sequence[tuple[float, float]], rng: random.Random) -> float:
    """Candidate of one session over the baseline of another: a number from an earlier run."""
    return rng.choice(pairs)[1] / rng.choice(pairs)[0]


def _same(pairs: Sequence[tuple[float, float]], rng: random.Random) -> float:
    """Both of one session, sampled in turn: better than that rule ever has it."""
    baseline, candidate = rng.choice(pairs)
    return candidate / baseline


def _mean_rule(
    slowed: Means,
    equal: Means,
    rng: random.Random,
    ratio: Callable[[Sequence[tuple[float, float]], random.Random], float],
) -> float:
    """How often `--benchmark-compare-fail=mean:5%` fails, with one case slowed."""
    red = 0
    for _ in range(TRIALS):
        victim = rng.choice(list(slowed))
        chosen = {case: slowed[case] if case == victim else equal[case] for case in equal}
        red += any(ratio(pairs, rng) > 1 + THRESHOLD for pairs in chosen.values())
    return red / TRIALS


def _coverage(logs: Logs, seed: int) -> str:
    """How often the 95 % interval of identical sides contains 1, and whether they are equal at all.

    Which of two identical sides is the baseline is arbitrary, so each pair counts with either sign;
    whether one of them is favoured is seen in the mean of all as they are.
    """
    everything = [log for recorded in logs.values() for log in recorded]
    if min((len(recorded) for recorded in logs.values()), default=0) < COVERAGE_PAIRS:
        return f"No coverage: it takes {COVERAGE_PAIRS} pairs of identical sides of each case."
    rng = random.Random(seed)  # noqa: S311 - a simulation
    hits = total = 0
    for recorded in logs.values():
        for _ in range(TRIALS // len(logs)):
            drawn = [log * rng.choice((-1, 1)) for log in rng.sample(recorded, COVERAGE_PAIRS)]
            _, low, high = t_interval(drawn)
            hits, total = hits + (low <= 1 <= high), total + 1
    ratio, low, high = t_interval(everything)
    return (
        f"The 95 % interval of identical sides over {COVERAGE_PAIRS} pairs contains 1 in "
        f"{hits / total:.1%}. All {len(everything)} pairs of identical sides together: ratio "
        f"{ratio:.4f} [{low:.4f}, {high:.4f}]."
    )


def _gate_runs(facts: Facts, clock: JudgedClock) -> list[str]:
    """The real gate runs, in words."""
    lines = []
    for slowed, what in ((False, "identical sides"), (True, f"one case {THRESHOLD:.0%} slower")):
        runs = [r for r in facts.gate_runs if bool(r["slowed"]) is slowed]
        if not runs:
            continue
        red = sum(Verdict.SLOWER.value in r["verdicts"].values() for r in runs)
        right = sum(r["verdicts"].get(r["slowed"]) == Verdict.SLOWER.value for r in runs)
        open_left = sum(Verdict.UNKNOWN.value in r["verdicts"].values() for r in runs)
        median = statistics.median(r["seconds"] for r in runs) / MINUTE
        text = f"- {len(runs)} real gate runs, {what}, by {clock.label} seconds: {red} red"
        if slowed:
            text += f", {right} of them for the slowed case"
        lines.append(f"{text}; {open_left} with an unknown; {median:.1f} minutes at the median.")
    if lines:
        median = statistics.median(r["seconds"] for r in facts.gate_runs) / MINUTE
        lines.append(f"- All {len(facts.gate_runs)} together: {median:.1f} minutes at the median.")
    return lines
