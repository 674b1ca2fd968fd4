"""After a run: summary, ratios, pytest-benchmark's JSON and where the time went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import noise, records
from bench.pytest_json import to_pytest_benchmark
from bench.run import utc_now
from bench.stats import ratios, summarise

if TYPE_CHECKING:
    import pandas as pd

TIMED_SHARE = 0.75
"""Of the time spent on timed workloads, at least this share should be forwards."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to: its environment and the two computed tables (records.SUMMARY, RATIOS)."""

    directory: Path
    environment: dict[str, Any]
    summary: pd.DataFrame
    ratios: pd.DataFrame


def conclude(writer: records.RunWriter, environment: dict[str, Any], state: str) -> Outcome:
    """Write everything that is computed from the raw tables; that it is done is written last."""
    run = records.read_run(writer.directory)
    summary, compared = summarise(run), ratios(run)
    writer.write_table("summary", summary)
    writer.write_table("ratios", compared)
    writer.write_json(records.PYTEST_BENCHMARK, to_pytest_benchmark(run))
    environment["warnings"] = noise.renew(environment.get("warnings", ()), run, summary)
    environment["run"] |= {"state": state, "finished": utc_now()}
    writer.write_environment(environment)
    return Outcome(writer.directory, environment, summary, compared)


def time_spent(spent: dict[str, float], total_s: float) -> dict[str, float]:
    """Where a run's wall time went, in seconds, with the share of forwards in timed work.

    The matrix products are taken out of that: they are measured on purpose, and no overhead.
    """
    timed = spent.get("timed_s", 0.0) - spent.get("gemm_s", 0.0)
    found = {**{k: round(v, 3) for k, v in spent.items()}, "total_s": round(total_s, 3)}
    if timed > 0:
        found["forwards_share"] = round(spent.get("forwards_s", 0.0) / timed, 4)
    return found
