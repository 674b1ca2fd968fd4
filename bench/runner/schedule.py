"""How many processes and rounds fit into the time there is, from what earlier processes took.

Half the width of a ratio's interval falls with the number of processes, and far less with the
rounds of each: so time that is short is taken from rounds first, then from processes, and only
then from workloads. All workloads have as many processes and rounds as any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.core.architecture import Model
from bench.core.case import Case
from bench.core.events import Row
from bench.core.rounds import BLOCK_S, WARMUP_S
from bench.plan.estimate import START_S, assumed_forward_s

LEAST_PROCESSES = 3
"""Fewer give no verdict: what is reported at all has this many."""
OVERRUN = 0.5
"""Of a set of rounds: a budget this much below whole sets ends near them, however time drifts."""


@dataclass(frozen=True)
class Costs:
    """What a process takes, in seconds of wall time."""

    overhead_s: float
    """Starting, loading, checking and warming up: all but the rounds."""
    sets_s: Mapping[str, float]
    """By group: its smallest balanced number of rounds (as many as it has cases)."""


@dataclass(frozen=True)
class Schedule:
    """What each process still to come does."""

    processes: int
    """In all, with those that are done."""
    budgets_s: Mapping[str, float]
    """By group, seconds of rounds in each process to come; a group without an entry is dropped."""


def plan(left_s: float, costs: Costs, done: int, wanted: int, most_s: float = math.inf) -> Schedule:
    """The schedule for `left_s` seconds, after `done` processes of at most `wanted`.

    Rounds of a process take `most_s` seconds at most, where one set of each group allows it.

    Groups that do not fit are dropped, the longest first, so that most workloads are kept; but not
    after the least number of processes, since all that are reported have as many: then a schedule
    without any group says that there is no time for another process.
    """
    least = min(LEAST_PROCESSES, wanted)
    kept = dict(sorted(costs.sets_s.items(), key=lambda item: item[1]))
    while kept:
        for processes in range(wanted, max(least, done + 1) - 1, -1):
            each_s = left_s / (processes - done) - costs.overhead_s
            set_s = sum(kept.values())
            sets = min(math.floor(each_s / set_s), max(1, math.floor(min(most_s, each_s) / set_s)))
            if sets >= 1:
                budgets = {name: (sets - OVERRUN) * one_s for name, one_s in kept.items()}
                return Schedule(processes, budgets)
        if done >= least:
            break
        kept.popitem()
    if done >= least:
        return Schedule(done, {})
    # The shortest workload is worth more than the limit: without it there would be no time at all.
    shortest = min(costs.sets_s, key=lambda name: costs.sets_s[name])
    return Schedule(least, {shortest: (1 - OVERRUN) * costs.sets_s[shortest]})


@dataclass
class Pace:
    """What processes take, assumed before the first and learned from each."""

    wanted: int
    most_s: float
    """Seconds of rounds in a process, at most."""
    overhead_s: float
    sets_s: dict[str, float]
    _rounds_s: float = field(default=0.0, init=False)
    _rounds_of_set: dict[str, int] = field(default_factory=dict, init=False)

    @classmethod
    def assume(
        cls, cases: Sequence[Case], models: Iterable[Model], wanted: int, budget_s: float
    ) -> Pace:
        """What is assumed of a machine; `budget_s` are seconds of sampling per case in all."""
        architectures = {model.name: model.architecture for model in models}
        groups: dict[str, list[float]] = {}
        for case in cases:
            groups.setdefault(case.group, []).append(assumed_forward_s(case, architectures))
        sets_s = {
            name: len(forwards) * sum(max(BLOCK_S, forward_s) for forward_s in forwards)
            for name, forwards in groups.items()
        }
        warm_up_s = sum(max(WARMUP_S, forward_s) for one in groups.values() for forward_s in one)
        return cls(wanted, budget_s * len(cases) / wanted, START_S + warm_up_s, sets_s)

    def plan(self, left_s: float, done: int) -> Schedule:
        """What the next process does; the first one tries every group, to learn what it takes."""
        costs = Costs(self.overhead_s, self.sets_s)
        schedule = plan(left_s, costs, done, self.wanted, self.most_s)
        if done:
            return schedule
        least = {name: (1 - OVERRUN) * set_s for name, set_s in self.sets_s.items()}
        return Schedule(self.wanted, {**least, **schedule.budgets_s})

    def keep(self, groups: Mapping[str, int]) -> None:
        """Plan for these groups alone; the number is that of their cases, and of a set's rounds."""
        self.sets_s = {name: set_s for name, set_s in self.sets_s.items() if name in groups}
        self._rounds_of_set = dict(groups)

    def add_rounds(self, group: str, rounds: Sequence[Row]) -> None:
        """Learn from the rounds of a group what a set of them takes."""
        took_s = sum(row["wall_s"] for row in rounds)
        self._rounds_s += took_s
        if rounds:
            self.sets_s[group] = took_s / len(rounds) * self._rounds_of_set.get(group, 1)

    def end_process(self, wall_s: float) -> None:
        """Learn from a process that took `wall_s` what it takes beside its rounds."""
        self.overhead_s = max(wall_s - self._rounds_s, 0.0)
        self._rounds_s = 0.0
