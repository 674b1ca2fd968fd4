"""After a run: summary, ratios, pytest-benchmark's JSON and where the time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.utc import utc_now
from bench.results import store as records
from bench.results.pytest_benchmark import to_pytest_benchmark
from bench.stats import noise_causes as noise
from bench.stats.analysis import Analysis

if TYPE_CHECKING:
    import pandas as pd

TIMED_SHARE = 0.75
"""Of the time spent on timed workloads, at least this share should be forwards."""

SHARE = "forwards_share"
"""The one entry of a run's time that is no number of seconds."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    analysis: Analysis

    @property
    def environment(self) -> dict[str, Any]:
        """Options, plan, machine and software, warnings, and where the time went."""
        return self.analysis.run.environment

    @property
    def directory(self) -> Path:
        """Where the run is."""
        return self.analysis.run.directory

    @property
    def summary(self) -> pd.DataFrame:
        """One row per case and metric."""
        return self.analysis.summary

    @property
    def ratios(self) -> pd.DataFrame:
        """One row per case and metric against its reference."""
        return self.analysis.ratios


def conclude(writer: records.RunWriter, environment: dict[str, Any], state: str) -> Outcome:
    """Write everything that is computed from the raw tables; that it is done is written last."""
    # Warnings and state, which come last, are entered in the environment that the run holds.
    run = replace(records.read_run(writer.directory), environment=environment)
    analysis = Analysis(run)
    writer.write_table("summary", analysis.summary)
    writer.write_table("ratios", analysis.ratios)
    writer.write_json(records.PYTEST_BENCHMARK, to_pytest_benchmark(run))
    environment["warnings"] = noise.refresh(environment.get("warnings", ()), run, analysis.summary)
    environment["run"] |= {"state": state, "finished": utc_now()}
    writer.write_environment(environment)
    return Outcome(analysis)


def time_spent(
    spent: Mapping[str, float], total_s: float, before: Mapping[str, float]
) -> dict[str, float]:
    """Where a run's wall time went, in seconds, with the share of forwards in timed work.

    `before` is what was written by the command that this one took the run up from, if any. The
    matrix products are no part of the share: they are measured on purpose, and no overhead.
    """
    now = {**spent, "total_s": total_s}
    names = [name for name in dict.fromkeys((*before, *now)) if name != SHARE]
    found = {name: round(before.get(name, 0.0) + now.get(name, 0.0), 3) for name in names}
    timed = found.get("timed_s", 0.0) - found.get("gemm_s", 0.0)
    if timed > 0:
        found[SHARE] = round(found.get("forwards_s", 0.0) / timed, 4)
    return found
