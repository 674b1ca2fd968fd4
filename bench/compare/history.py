"""The course of a metric over stored runs, and where it changed for good.

Candidates are found by `ruptures` (PELT; Killick 2012): absolute deviations from each segment's
median, with a penalty that grows with the series' own noise. That alone takes slow drift, and runs
that fall by chance into two modes (as an allocator's do), for steps in a third of histories. So a
candidate is a step only where it is larger than all that the runs on either side differ by among
themselves, and comes at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import ruptures

from bench.compare.judgement import PROCESSOR
from bench.compare.stored_runs import Figures, Key, Value, read
from bench.core.errors import UsageError
from bench.core.metrics import METRICS
from bench.results import store as records

LEAST_RUNS = 10
"""Fewer runs than this say nothing of their own noise."""
LEAST_SEGMENT = 4
"""A change persists when at least so many runs show it."""
LEAST_SIZE = 1.5
"""A step is at least so many times what the runs of one level differ by. With LEAST_JUMP: a false
step in under 4 % of histories of 10 to 30 runs, be their noise white, AR(0.8), in two modes or both
(tests/compare/test_history.py); a step of six times white noise is found in 80 % or more."""
LEAST_JUMP = 0.7
"""The share of a step that lies between two runs: drift takes many."""
TRIMMED = 8
"""From so many runs on, a level's lowest and highest do not count: one bad run hides no step."""
PENALTY = 3.0
"""Of a candidate, in noise x log(runs)."""
LEAST_NOISE = 0.002
"""Spread (of logs) below which differences between runs are never a step."""
MEDIAN_STEP = 0.954
"""Median absolute difference of two normal values of sd 1 (0.6745 x sqrt 2)."""


@dataclass(frozen=True)
class Step:
    """A change for good: the first run that shows it, and the ratio of the medians around it."""

    run: str
    ratio: float


@dataclass(frozen=True)
class Course:
    """One case's figures over the runs that have it, oldest first."""

    case: str
    metric: str
    unit: str
    runs: Sequence[str]
    values: Sequence[float]
    steps: Sequence[Step]


def courses(directories: Sequence[Path], metric: str) -> tuple[list[Course], list[str]]:
    """The course of a metric, and of its ratio between models where there is one; with notes.

    Seconds of another fingerprint than the newest run's are left out, and ratios between models of
    another processor; exact figures stay.
    """
    whole = METRICS.get(metric.partition(".")[0])
    if whole is None:
        raise UsageError(f"no metric {metric!r}: choose from {', '.join(METRICS)}")
    runs, notes = _runs(directories)
    newest = runs[-1].fingerprint.get("id")
    alike = [run for run in runs if run.fingerprint.get("id") == newest]
    timed = runs if whole.exact else alike
    if len(timed) < len(runs):
        notes.append(f"{len(runs) - len(timed)} runs of another fingerprint left out of seconds")
    found = [_course(case, metric, timed) for case in _keys([r.figures for r in timed])]
    paired = [run for run in runs if processor(run) == processor(runs[-1])]
    if len(paired) < len(runs):
        notes.append(f"{len(runs) - len(paired)} runs of another processor left out of ratios")
    found += [
        _course(case, metric, paired, of_ratios=True) for case in _keys([r.ratios for r in paired])
    ]
    kept = [course for course in found if course.values]
    if not kept:
        raise UsageError(f"none of these runs has {metric}")
    return kept, notes


def _runs(directories: Sequence[Path]) -> tuple[list[Figures], list[str]]:
    """The runs among directories, oldest first and each once; with notes of what is left out.

    `results/*/` has more than runs: baselines, and what the gates keep. A baseline is its run once
    more: counted twice, one bad run would persist.
    """
    others = [d for d in directories if d.is_dir() and not (d / records.ENVIRONMENT).exists()]
    notes = [f"left out, being no runs: {', '.join(map(str, others))}"] if others else []
    kept: dict[tuple[str, str], Path] = {}
    for directory in [d for d in directories if d not in others]:
        run = records.read_environment(directory)["run"]
        first = kept.setdefault((run["started"], run["id"]), directory)
        if first != directory:
            notes.append(f"left out, being the same run as {first}: {directory}")
    if len(kept) < 2:
        raise UsageError(f"a history needs two runs or more: here are {len(kept)}")
    return [read(directory) for _, directory in sorted(kept.items())], notes


def processor(run: Figures) -> dict[str, object]:
    """What a run's ratios between models depend on, whatever else its machine is."""
    return {name: run.fingerprint.get(name) for name in sorted(PROCESSOR)}


def _keys(tables: Sequence[dict[Key, dict[str, Value]]]) -> list[Key]:
    return list(dict.fromkeys(key for table in tables for key in table))


def _course(key: Key, metric: str, runs: Sequence[Figures], *, of_ratios: bool = False) -> Course:
    having = [
        (run.run, value)
        for run in runs
        for value in [(run.ratios if of_ratios else run.figures).get(key, {}).get(metric)]
        if value is not None
    ]
    names, values = [name for name, _ in having], [value.value for _, value in having]
    case = having[-1][1].case if having else ""
    unit = having[-1][1].unit if having else ""
    label = f"{metric} / {key[-1]}" if of_ratios else metric
    return Course(case, label, unit, names, values, steps(names, values))


def steps(runs: Sequence[str], values: Sequence[float]) -> list[Step]:
    """Where a series changed for good; nothing for short series or values that are no ratios."""
    if len(values) < LEAST_RUNS or min(values) <= 0:
        return []
    logs = np.log(np.asarray(values, dtype=float))
    noise = max(float(np.median(np.abs(np.diff(logs)))) / MEDIAN_STEP, LEAST_NOISE)
    search = ruptures.Pelt(model="l1", min_size=LEAST_SEGMENT, jump=1).fit(logs)
    ends = search.predict(pen=PENALTY * noise * math.log(len(logs)))
    levels = [logs[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    scatter = max(map(_scatter, levels))
    return [
        Step(runs[at], math.exp(size))
        for at, before, after in zip(ends, levels, levels[1:], strict=False)
        for size in (float(np.median(after) - np.median(before)),)
        if abs(size) > LEAST_SIZE * scatter
        and abs(logs[at] - logs[at - 1]) > LEAST_JUMP * abs(size)
    ]


def _scatter(level: npt.NDArray[np.float64]) -> float:
    """How far the runs of one level lie apart."""
    ordered = np.sort(level)
    kept = ordered[1:-1] if len(ordered) >= TRIMMED else ordered
    return float(kept[-1] - kept[0])
