"""What a study's sessions say of the gate, beside what a threshold on means makes of the same."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.gate.decision import ratio_interval
from bench.gate.noise import MINUTE
from bench.gate.paired import Clock
from bench.gate.simulate import GateRun, gate_run, resampling, share
from bench.gate.study import SLOWDOWNS, THRESHOLD, Facts, stage
from bench.gate.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

TRIALS = 4000
COVERAGE_PAIRS = 5
"""Pairs behind an interval whose coverage is counted: about what a gate run takes."""
COLUMNS = {Clock.WALL: "wall_log_ratio", Clock.CPU: "cpu_log_ratio"}

HEADER = (
    "slowdown",
    "pairs",
    "median found",
    "sd of a pair",
    "gate: red",
    "gate: unknown",
    "mean > 5 % of a stored baseline: red",
    "mean > 5 % of the same minutes: red",
)

Logs = Mapping[str, Sequence[float]]
Means = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Sessions:
    """One slowdown's sessions, by case: log-ratios, and mean seconds of baseline and candidate."""

    logs: Logs
    means: Means


def sessions(table: pd.DataFrame, slowdown: float, clock: Clock) -> Sessions:
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


def report(table: pd.DataFrame, facts: Facts, clock: Clock, seed: int = 0) -> str:
    """The study's results as a Markdown page."""
    equal = sessions(table, 0.0, clock)
    cpu, cores = (facts.machine.get(name, "unknown") for name in ("cpu", "cores_usable"))
    lines = [
        "# Does the gate keep its promises here?",
        "",
        f"Process pairs over {len(equal.logs)} cases. CPU: {cpu}; cores: {cores}.",
        f"Judged: {clock.name.lower()} seconds, at a threshold of {THRESHOLD:.0%}.",
        "Gate runs are simulated by drawing recorded pairs with replacement; one case is slowed.",
        "",
        f"| {' | '.join(HEADER)} |",
        f"| {' | '.join(['---'] * len(HEADER))} |",
    ]
    lines.extend(
        _row(sessions(table, slowdown, clock), equal, slowdown, seed) for slowdown in SLOWDOWNS
    )
    lines += ["", _coverage(equal.logs, seed), "", *_gate_runs(facts)]
    return "\n".join(lines) + "\n"


def _row(slowed: Sessions, equal: Sessions, slowdown: float, seed: int) -> str:
    rng = random.Random(seed)  # noqa: S311 - a simulation
    everything = [log for logs in slowed.logs.values() for log in logs]
    if len(everything) < 2:
        return f"| {slowdown:.0%} | 0 | | | | | | |"
    spread = statistics.mean(statistics.stdev(logs) for logs in slowed.logs.values())
    gate = [_simulated(slowed.logs, equal.logs, rng) for _ in range(TRIALS)]
    red = share(gate, lambda r: Verdict.SLOWER in r.verdicts)
    unknown = share(gate, lambda r: Verdict.UNKNOWN in r.verdicts)
    stored = _mean_rule(slowed.means, equal.means, rng, _stored)
    same = _mean_rule(slowed.means, equal.means, rng, _same)
    found = math.expm1(statistics.median(everything))
    count = min(len(logs) for logs in slowed.logs.values())
    cells = (f"{found:.1%}", f"{spread:.2%}", f"{red:.2%}", f"{unknown:.2%}")
    return f"| {slowdown:.0%} | {count} | {' | '.join(cells)} | {stored:.1%} | {same:.1%} |"


def _simulated(slowed: Logs, equal: Logs, rng: random.Random) -> GateRun:
    """A gate run in which one case, any, is slowed and the others are equal."""
    victim = rng.choice(list(slowed))
    draws = [resampling(slowed[c] if c == victim else equal[c], rng) for c in equal]
    return gate_run(draws, THRESHOLD)


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
    """How often the 95 % interval of equal sides contains 1."""
    rng = random.Random(seed)  # noqa: S311 - a simulation
    hits = total = 0
    for recorded in logs.values():
        for _ in range(TRIALS // len(logs)):
            drawn = [rng.choice(recorded) for _ in range(COVERAGE_PAIRS)]
            _, low, high = ratio_interval(drawn)
            hits, total = hits + (low <= 1 <= high), total + 1
    if not total:
        return "No sessions of equal sides."
    return (
        f"The 95 % interval of equal sides over {COVERAGE_PAIRS} pairs contains 1 in "
        f"{hits / total:.1%}."
    )


def _gate_runs(facts: Facts) -> list[str]:
    """The real gate runs, in words."""
    told = []
    for slowed, what in ((False, "equal sides"), (True, f"one case {THRESHOLD:.0%} slower")):
        runs = [r for r in facts.gate_runs if bool(r["slowed"]) is slowed]
        if not runs:
            continue
        red = sum(Verdict.SLOWER.value in r["verdicts"].values() for r in runs)
        right = sum(r["verdicts"].get(r["slowed"]) == Verdict.SLOWER.value for r in runs)
        median = statistics.median(r["seconds"] for r in runs) / MINUTE
        text = f"{len(runs)} real gate runs, {what}: {red} red"
        if slowed:
            text += f", {right} of them for the slowed case"
        told.append(f"{text}; {median:.1f} minutes at the median.")
    return told
