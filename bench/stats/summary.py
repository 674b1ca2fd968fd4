"""Samples to numbers: medians, percentiles and their intervals, computed from raw tables.

All intervals are 95 %. A time is the mean over processes of the log of each process's median, and
its interval is a moderated t over processes, never narrower than the samples allow; percentiles
are of all samples, with an interval that heeds both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.core.metrics import NOISE_BOUND, metric
from bench.results.planned import plan_table
from bench.results.store import SUMMARY, Run
from bench.stats.centres import case_intervals, centres, inverse, of_values
from bench.stats.intervals import (
    FloatArray,
    Interval,
    bounds,
    mean_interval,
    percentile_interval,
    quantile_interval,
)
from bench.stats.ratios import TIMED, each

PERCENTILES = {"latency_p90": (0.90, 29), "latency_p95": (0.95, 59), "latency_p99": (0.99, 299)}
"""Metric: (quantile, fewest samples whose largest lies above it with 95 % confidence)."""


class Row(NamedTuple):
    """A row of the summary, without what the plan knows of its case."""

    case: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    processes: int


def summarise(run: Run) -> pd.DataFrame:
    """One row per case and metric (columns of schema.SUMMARY) for all cases that did not fail."""
    plan = plan_table(run)
    samples = run.samples[run.samples["case"].isin(plan.index)]
    measured = run.measurements[run.measurements["case"].isin(plan.index)]
    rows = [
        *_timed_rows(samples[samples["phase"] == "sample"], plan),
        *_host_rows(samples),
        *_measured_rows(measured),
    ]
    table = pd.DataFrame(rows, columns=Row._fields)
    table["unit"] = [metric(str(name)).unit.value for name in table["metric"]]
    order = {case: i for i, case in enumerate(plan.index)}
    table = table.sort_values("case", key=lambda c: c.map(order), kind="stable")
    return table.join(plan, on="case")[list(SUMMARY)].reset_index(drop=True)


def _timed_rows(samples: pd.DataFrame, plan: pd.DataFrame) -> Iterator[Row]:
    middles = {name: _medians(samples, column) for name, column in TIMED.items()}
    shapes = {str(row.Index): (row.batch_size, row.seq_len) for row in each(plan)}
    for key, own in samples.groupby("case", sort=False):
        case, n, processes = str(key), len(own), own["process"].nunique()
        medians = {name: found[case] for name, found in middles.items()}
        for name, found in _of_case(own, shapes[case], medians):
            yield Row(case, name, *bounds(found), n, processes)


def _medians(samples: pd.DataFrame, column: str) -> dict[str, Interval]:
    """The median of each case, from those of its processes.

    A clock that is too coarse for a case gives times of 0, which have no logs.
    """
    least = samples.groupby("case", sort=False)[column].min()
    coarse = samples["case"].isin(least[least <= 0].index)
    fine = samples[~coarse]
    logs = fine[["case", "process"]].assign(log=np.log(fine[column]))
    found = case_intervals(centres(logs))
    for case, values in samples[coarse].groupby("case", sort=False)[column]:
        found[str(case)] = quantile_interval(values.to_numpy(), 0.5)
    return found


def _of_case(
    samples: pd.DataFrame, shape: tuple[int, int], medians: dict[str, Interval]
) -> Iterator[tuple[str, Interval]]:
    wall, latency = samples["wall_s"].to_numpy(), medians["latency"]
    yield "latency", latency
    rates = {"throughput_sequences": shape[0], "throughput_tokens": shape[0] * shape[1]}
    for name, per_forward in rates.items():
        if per_forward:  # a text's tokens differ from batch to batch: counted by the worker
            rate = inverse(latency)
            yield name, Interval(*(per_forward * bound for bound in bounds(rate)))
    if samples["host_s"].isna().all():  # beside a device the CPU mostly spins, waiting for it
        yield "cpu_time", medians["cpu_time"]
    yield "latency_mean", _unbounded(wall.mean())
    yield "latency_min", _unbounded(wall.min())
    low, middle, high = np.quantile(wall, (0.25, 0.5, 0.75))
    yield "iqr_over_median", _unbounded((high - low) / middle)
    for name, (quantile, needed) in PERCENTILES.items():
        if len(wall) >= needed:
            processes = samples["process"].to_numpy()
            own = [wall[processes == process] for process in np.unique(processes)]
            yield name, percentile_interval(wall, own, quantile)


def _unbounded(value: float) -> Interval:
    return Interval(float(value), math.nan, math.nan)


def _host_rows(samples: pd.DataFrame) -> Iterator[Row]:
    """How long the host takes to give a device one forward, at the fastest.

    Of warm-up forwards, each of which finds the device idle: in a round transformers' look at the
    attention mask waits for all that is queued, which would make every host look busy. Without
    the first of a process, which sets libraries up.
    """
    known = samples[(samples["phase"] == "warmup") & samples["host_s"].notna()]
    again = known[known.groupby(["case", "process"], sort=False).cumcount() > 0]
    for case, own in again.groupby("case", sort=False):
        fastest = _unbounded(own["host_s"].min())
        yield Row(str(case), "host_time", *bounds(fastest), len(own), own["process"].nunique())


def _measured_rows(measured: pd.DataFrame) -> Iterator[Row]:
    for key, table in measured.groupby("metric", sort=False):
        name, by_case = str(key), table.groupby("case", sort=False)["value"]
        found = {str(case): _measured(name, values.to_numpy()) for case, values in by_case}
        if metric(name).is_compared and not metric(name).exact:
            positive = table[by_case.transform("min") > 0]
            found |= case_intervals(of_values(positive, "value"))
        counts = table["case"].value_counts()
        for case, interval in found.items():
            yield Row(case, name, *bounds(interval), int(counts[case]), int(counts[case]))


def _measured(name: str, values: FloatArray) -> Interval:
    """Exact values agree or are reported as a range; others get the interval of their mean."""
    if metric(name).exact:
        low, high = float(values.min()), float(values.max())
        return Interval(
            float(np.median(values)), *((low, high) if low != high else (math.nan,) * 2)
        )
    return mean_interval(values.tolist())


def noisy(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows of a summary that say of a case that its samples spread more than the bound."""
    return summary[(summary["metric"] == "iqr_over_median") & (summary["value"] > NOISE_BOUND)]
