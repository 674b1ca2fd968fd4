"""A run in pytest-benchmark's own JSON, so that the tools that read that can read ours."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pytest_benchmark.stats import Stats

from bench.core.case import group_of
from bench.results.planned import plan_table
from bench.results.store import Run

FORMAT_VERSION = "5.1.0"
"""The pytest-benchmark version whose layout this is."""


def to_pytest_benchmark(run: Run) -> dict[str, Any]:
    """Every timed case as one benchmark, grouped by workload; seconds of wall time.

    `data` is left out, as pytest-benchmark does by default: the samples are in samples.csv.
    """
    plan = plan_table(run).to_dict("index")
    kept = run.samples[run.samples["phase"] == "sample"]
    benchmarks = [
        _benchmark(str(case), samples["wall_s"], plan[str(case)])
        for case, samples in kept.groupby("case", sort=False)
        if case in plan
    ]
    machine, software = run.environment["machine"], run.environment["software"]
    return {
        "machine_info": {
            "node": "",
            "processor": machine["cpu"],
            "machine": machine["architecture"],
            "system": machine["os"],
            "python_version": software["python"],
            "cpu": {"brand_raw": machine["cpu"], "count": machine["cores_logical"]},
        },
        "commit_info": {"id": software["bench"], "dirty": False, "branch": ""},
        "benchmarks": benchmarks,
        "datetime": run.environment["run"]["started"],
        "version": FORMAT_VERSION,
    }


def _benchmark(case: str, wall: pd.Series[float], facts: dict[Any, Any]) -> dict[str, Any]:
    stats = Stats()
    for seconds in wall:
        stats.update(float(seconds))
    return {
        "group": group_of(case),
        "name": case,
        "fullname": case,
        "params": facts,
        "param": facts["model"],
        "extra_info": {"weights": facts["weights"]},
        "options": {"disable_gc": False, "timer": "perf_counter", "warmup": True},
        "stats": {**stats.as_dict(), "iterations": 1},
    }
