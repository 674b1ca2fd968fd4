"""How precisely each workload is known while a run goes on, from a few numbers per process.

The samples themselves stay on disk: the memory of a run of days does not grow with them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from bench.core.case import Status, group_of
from bench.results.store import Run
from bench.stats.centres import log_intervals
from bench.stats.moderated import Centre, centre
from bench.stats.ratios import references

Blocks = dict[int, float]
"""Log of the median of each round's block."""


@dataclass
class StoppingRule:
    """What has been seen of each case; `reference` names the case that each is compared with."""

    reference: Mapping[str, str]
    _latest: dict[str, tuple[int, Blocks]] = field(default_factory=dict)
    _ratios: dict[str, dict[int, Centre]] = field(default_factory=dict)
    _alone: dict[str, dict[int, Centre]] = field(default_factory=dict)
    _compared: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for case, reference in self.reference.items():
            self._compared.setdefault(reference, []).append(case)

    def add(self, case: str, process: int, samples: Iterable[tuple[int, float]]) -> None:
        """Take in the samples of a case in a process: round and wall seconds of each."""
        walls: dict[int, list[float]] = {}
        for number, wall_s in samples:
            if wall_s > 0:
                walls.setdefault(number, []).append(wall_s)
        if not walls:
            return
        every = [wall_s for block in walls.values() for wall_s in block]
        self._alone.setdefault(case, {})[process] = centre(np.log(every))
        blocks = {number: math.log(median(block)) for number, block in walls.items()}
        self._latest[case] = (process, blocks)
        for one, other in self._pairs(case):
            logs = self._log_ratios(one, other, process)
            if logs:
                self._ratios.setdefault(one, {})[process] = centre(np.array(logs))

    def _pairs(self, case: str) -> list[tuple[str, str]]:
        """The comparisons that a case has a part in."""
        if case in self.reference:
            return [(case, self.reference[case])]
        return [(other, case) for other in self._compared.get(case, ())]

    def _log_ratios(self, one: str, other: str, process: int) -> list[float]:
        """Log-ratios of the rounds that both cases have; none before both are there."""
        held = [self._latest.get(case, (0, {})) for case in (one, other)]
        if any(at != process for at, _ in held):
            return []
        (_, ours), (_, theirs) = held
        return [ours[n] - theirs[n] for n in ours if n in theirs]

    def precise_groups(self, precision: float, failed: Collection[str] = ()) -> set[str]:
        """Groups of timed cases whose every ratio is known within +-`precision` (a fraction).

        A group of one model has no ratio: there its latency itself has to be that precise.
        """
        compared = {
            case: found
            for case, found in self._ratios.items()
            if case not in failed and self.reference[case] not in failed
        }
        paired = {group_of(case) for case in compared}
        lone = {
            case: found
            for case, found in self._alone.items()
            if case not in failed and group_of(case) not in paired
        }
        widths: dict[str, float] = {}
        for held in (compared, lone):
            processes = {case: list(found.values()) for case, found in held.items()}
            for case, interval in log_intervals(processes).items():
                group, half = group_of(case), interval.high - interval.value
                # One process knows nothing of others: it is never precise enough.
                known = len(processes[case]) > 1 and not math.isnan(half)
                widths[group] = max(widths.get(group, 0.0), half if known else math.inf)
        return {group for group, half in widths.items() if half <= precision}


def stopping_rule_of(run: Run) -> StoppingRule:
    """What the rule would have seen of a run that is on disk."""
    rule = StoppingRule(
        {str(case): str(other) for case, other in references(run)["reference"].items()}
    )
    kept = run.samples[run.samples["phase"] == "sample"]
    for _, batch in kept.groupby(["process", "case"]):
        case, process = str(batch["case"].iloc[0]), int(batch["process"].iloc[0])
        rule.add(case, process, zip(batch["round"], batch["wall_s"], strict=True))
    return rule


def precise_groups_of(run: Run, precision: float) -> set[str]:
    """Groups of a run whose every ratio is known within +-`precision`: see StoppingRule."""
    failed = run.cases.loc[run.cases["status"] != Status.OK.value, "case"]
    return stopping_rule_of(run).precise_groups(precision, set(failed))
