"""How often the intervals and sentences of a run would be right, simulated on recorded noise.

A simulated run draws processes of every workload of a baseline, takes samples until the stopping
rule ends it, and has its intervals made by the code that makes those of real runs. The truth is
known, and so is what a sentence of it may say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.core.errors import UsageError
from bench.results.store import ENVIRONMENT, read_run, read_table
from bench.stats.centres import exponential
from bench.stats.intervals import FloatArray, Interval
from bench.stats.moderated import Centre, centre, intervals
from bench.stats.ratios import references, round_log_ratios
from bench.stats.relation import LEAST_PROCESSES, Relation, judge

TRUTHS = (1.0, 1.02, 1.06)
PROCESSES = (2, 3, 5, 8)
MANY_PROCESSES = 20
"""A workload with so many recorded is drawn from its own; others share the shape of theirs."""


@dataclass(frozen=True)
class Workload:
    """The recorded noise of one ratio: the log-ratios of each process's rounds."""

    name: str
    processes: Sequence[FloatArray]

    @property
    def medians(self) -> FloatArray:
        """Of each process, around their mean."""
        found = np.array([np.median(rounds) for rounds in self.processes])
        return np.asarray(found - found.mean())

    @property
    def residuals(self) -> list[FloatArray]:
        """The rounds of each process around their median."""
        return [rounds - np.median(rounds) for rounds in self.processes]


@dataclass(frozen=True)
class Rule:
    """When a simulated run ends: at `most` processes, or where a ratio is known within `precision`.

    The latter is judged after `first` processes and then after `every` more. A precision of 0
    takes `most` processes.
    """

    most: int
    precision: float = 0.0
    first: int = LEAST_PROCESSES
    every: int = 2

    def __str__(self) -> str:
        if not self.precision:
            return str(self.most)
        return f"{self.first}-{self.most}, until within {self.precision:.0%}"

    @property
    def ends(self) -> list[int]:
        """Numbers of processes at which a run may end."""
        interim = range(self.first, self.most, self.every) if self.precision else ()
        return [*interim, self.most]


@dataclass
class Tally:
    """What became of one workload's intervals; sentences by the true ratio."""

    runs: int = 0
    held: int = 0
    half_widths: list[float] = field(default_factory=list)
    wrong: dict[float, int] = field(default_factory=lambda: dict.fromkeys(TRUTHS, 0))

    def add(self, found: Interval, processes: int) -> None:
        """Take in an interval of the log-ratio of two that are equally fast."""
        self.runs += 1
        self.held += found.low <= 0 <= found.high
        self.half_widths.append(found.high - found.value)
        for truth in TRUTHS:
            shift = math.log(truth)
            shifted = Interval(found.value + shift, found.low + shift, found.high + shift)
            self.wrong[truth] += is_wrong(shifted, processes, shift)


def is_wrong(found: Interval, processes: int, truth: float) -> bool:
    """Whether what is printed of a log-ratio, if anything, is another direction than the truth."""
    relation = judge(exponential(found), processes).relation
    return (relation is Relation.MORE and truth <= 0) or (relation is Relation.LESS and truth >= 0)


@dataclass(frozen=True)
class Row:
    """Shares over all simulated intervals of a baseline, and those of its worst workload.

    `half_width` is the median, of logs; `wrong` and `worst_wrong` are sentences, by true ratio.
    """

    baseline: str
    rule: str
    coverage: float
    worst_coverage: float
    half_width: float
    wrong: Mapping[float, float]
    worst_wrong: Mapping[float, float]


def simulate(
    baselines: Mapping[str, Sequence[Workload]], runs: int, rules: Sequence[Rule]
) -> Iterator[Row]:
    """A row per baseline and rule, from `runs` simulated runs each; the same ones every time."""
    for name, workloads in baselines.items():
        for rule in rules:
            tallies = _tallies(workloads, runs, rule)
            yield _row(name, rule, tallies)


def _tallies(workloads: Sequence[Workload], runs: int, rule: Rule) -> list[Tally]:
    rng = np.random.default_rng(0)
    effects, residuals = _effects(workloads), [one.residuals for one in workloads]
    tallies = [Tally() for _ in workloads]
    for _ in range(runs):
        drawn = {
            i: [_process(rng, effects[i], residuals[i]) for _ in range(rule.most)]
            for i in range(len(workloads))
        }
        for i, (found, processes) in _run(drawn, rule).items():
            tallies[i].add(found, processes)
    return tallies


def _run(drawn: Mapping[int, Sequence[Centre]], rule: Rule) -> dict[int, tuple[Interval, int]]:
    """The interval of each workload when its run has ended, and of how many processes it is."""
    taken: dict[int, int] = {}
    for processes in rule.ends:
        held = {i: own[: taken.get(i, processes)] for i, own in drawn.items()}
        for i, found in intervals(held).items():
            if i not in taken and found.high - found.value <= rule.precision:
                taken[i] = processes
    taken = {i: taken.get(i, rule.most) for i in drawn}
    final = intervals({i: own[: taken[i]] for i, own in drawn.items()})
    return {i: (final[i], taken[i]) for i in drawn}


def _effects(workloads: Sequence[Workload]) -> list[FloatArray]:
    """What the processes of each workload may differ by.

    A few recorded processes drawn again and again would agree too often, so that workloads with few
    have the shape of all together and their own spread.
    """
    spreads = [float(np.std(one.medians, ddof=1)) for one in workloads]
    shapes = [
        one.medians / spread * math.sqrt(len(one.processes) / (len(one.processes) - 1))
        for one, spread in zip(workloads, spreads, strict=True)
        if spread
    ]
    shape = np.concatenate(shapes or [np.zeros(1)])
    return [
        one.medians if len(one.processes) >= MANY_PROCESSES else shape * spread
        for one, spread in zip(workloads, spreads, strict=True)
    ]


def _process(
    rng: np.random.Generator, effects: FloatArray, residuals: Sequence[FloatArray]
) -> Centre:
    """A process's effect, of either sign, and the rounds of one that was recorded."""
    effect = effects[rng.integers(len(effects))] * (2 * rng.integers(2) - 1)
    rounds = residuals[int(rng.integers(len(residuals)))]
    return centre(effect + rounds)


def _row(name: str, rule: Rule, tallies: Sequence[Tally]) -> Row:
    runs = sum(tally.runs for tally in tallies)
    return Row(
        name,
        str(rule),
        sum(tally.held for tally in tallies) / runs,
        min(tally.held / tally.runs for tally in tallies),
        float(np.median(np.concatenate([tally.half_widths for tally in tallies]))),
        {t: sum(tally.wrong[t] for tally in tallies) / runs for t in TRUTHS},
        {t: max(tally.wrong[t] / tally.runs for tally in tallies) for t in TRUTHS},
    )


def recorded(root: Path) -> dict[str, list[Workload]]:
    """The noise of every baseline below `root` that has any, by name.

    Raises UsageError when there is none.
    """
    found = {}
    for directory in sorted(path for path in root.glob("*") if path.is_dir()):
        read = _of_run if (directory / ENVIRONMENT).exists() else _of_pairs
        held = [one for one in read(directory) if len(one.processes) > 1]
        if held:
            found[directory.name] = held
    if not found:
        raise UsageError(
            f"no baseline in {root} has samples of several processes: keep one with bench baseline"
        )
    return found


def _of_run(directory: Path) -> list[Workload]:
    run = read_run(directory)
    logs = round_log_ratios(run.samples, references(run), "wall_s")
    return [
        Workload(str(case), [own["log"].to_numpy() for _, own in rows.groupby("process")])
        for case, rows in logs.groupby("case", sort=False)
    ]


def _of_pairs(directory: Path) -> list[Workload]:
    """Of a study of the gate: pairs of two identical sides, each known by its median."""
    pairs = read_table(directory, "pairs")
    equal = pairs[pairs["stage"].isin(("equal", "slower-0.00"))]
    return [
        Workload(str(case), [np.array([log]) for log in logs])
        for case, logs in equal.groupby("case", sort=False)["wall_log_ratio"]
    ]
