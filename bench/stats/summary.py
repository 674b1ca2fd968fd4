"""Samples to numbers: medians, percentiles, intervals and paired ratios, computed from raw tables.

All intervals are 95 %. Between processes they are Student's t on the log of each process's value;
within one process (a run of one repeat) they are order statistics of its samples. Those of
percentiles heed both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bench.core.metric import Unit
from bench.core.metrics import NOISE_BOUND, metric
from bench.results.planned import plan_table
from bench.results.store import SUMMARY, Run
from bench.stats.intervals import Interval, _median_interval, mean_interval, percentile_interval
from bench.stats.ratios import TIMED

if TYPE_CHECKING:
    import pandas as pd

    from bench.results.store import Run


PERCENTILES = {"latency_p90": (0.90, 29), "latency_p95": (0.95, 59), "latency_p99": (0.99, 299)}
"""Metric: (quantile, fewest samples whose largest lies above it with 95 % confidence)."""


def summarise(run: Run) -> pd.DataFrame:
    """One row per case and metric (columns of records.SUMMARY) for all cases that did not fail."""
    plan = plan_table(run)
    rows: list[tuple[str, str, Interval, int]] = []
    kept = run.samples[(run.samples["phase"] == "sample") & run.samples["case"].isin(plan.index)]
    sizes: dict[str, tuple[Any, Any]] = {
        str(row.Index): (row.batch_size, row.seq_len) for row in plan.itertuples()
    }
    medians = kept.groupby(["case", "process"], sort=False)[list(TIMED.values())].median()
    by_case = {str(c): rows for c, rows in medians.groupby(level="case", sort=False)}
    for key, samples in kept.groupby("case", sort=False):
        rows.extend(_timed_rows(str(key), samples, by_case[str(key)], *sizes[str(key)]))
    rows.extend(_host_rows(run.samples[run.samples["case"].isin(plan.index)]))
    measured = run.measurements[run.measurements["case"].isin(plan.index)]
    for (case, name), values in measured.groupby(["case", "metric"], sort=False)["value"]:
        rows.append((str(case), str(name), _measured(str(name), values.to_numpy()), len(values)))
    table = pd.DataFrame(
        [(c, m, metric(m).unit.value, i.value, i.low, i.high, n) for c, m, i, n in rows],
        columns=["case", "metric", "unit", "value", "low", "high", "n"],
    )
    order = {case: i for i, case in enumerate(plan.index)}
    table = table.sort_values("case", key=lambda c: c.map(order), kind="stable")
    return table.join(plan, on="case")[list(SUMMARY)].reset_index(drop=True)


def _timed_rows(
    case: str, samples: pd.DataFrame, medians: pd.DataFrame, batch_size: int, seq_len: int
) -> Iterable[tuple[str, str, Interval, int]]:
    wall, n = samples["wall_s"].to_numpy(), len(samples)
    repeats = samples["process"].to_numpy()
    latency = _median_interval(wall, medians["wall_s"].to_numpy())
    yield case, "latency", latency, n
    for name, per_forward in (
        ("throughput_sequences", batch_size),
        ("throughput_tokens", batch_size * seq_len),
    ):
        if not per_forward:  # a text's tokens differ from batch to batch: counted by the worker
            continue
        rate = (latency.value, latency.high, latency.low)
        yield case, name, Interval(*(float(per_forward / s) if s else math.nan for s in rate)), n
    if samples["host_s"].isna().all():  # beside a device the CPU mostly spins, waiting for it
        cpu = _median_interval(samples["cpu_s"].to_numpy(), medians["cpu_s"].to_numpy())
        yield case, "cpu_time", cpu, n
    yield case, "latency_mean", Interval(float(wall.mean()), math.nan, math.nan), n
    yield case, "latency_min", Interval(float(wall.min()), math.nan, math.nan), n
    low, high = np.quantile(wall, (0.25, 0.75))
    if latency.value:
        noise = float((high - low) / latency.value)
        yield case, "iqr_over_median", Interval(noise, math.nan, math.nan), n
    for name, (quantile, needed) in PERCENTILES.items():
        if n >= needed:
            own = [wall[repeats == repeat] for repeat in medians.index.unique("process")]
            yield case, name, percentile_interval(wall, own, quantile), n


def _host_rows(samples: pd.DataFrame) -> Iterable[tuple[str, str, Interval, int]]:
    """How long the host takes to give a device one forward, at the fastest.

    Of warm-up forwards, each of which finds the device idle: in a round transformers' look at the
    attention mask waits for all that is queued, which would make every host look busy. Without
    the first of a process, which sets libraries up.
    """
    told = samples[(samples["phase"] == "warmup") & samples["host_s"].notna()]
    again = told[told.groupby(["case", "process"], sort=False).cumcount() > 0]
    for case, host in again.groupby("case", sort=False)["host_s"]:
        yield str(case), "host_time", Interval(float(host.min()), math.nan, math.nan), len(host)


def _measured(name: str, values: np.ndarray) -> Interval:
    """Exact values agree or are reported as a range; others get the interval of their mean.

    A duration is the median of its processes: now and then one of them is disturbed, never sped up.
    """
    if metric(name).exact:
        low, high = float(values.min()), float(values.max())
        return Interval(
            float(np.median(values)), *((low, high) if low != high else (math.nan,) * 2)
        )
    if metric(name).unit is Unit.SECONDS and metric(name).is_compared and (values > 0).all():
        middle, log = float(np.median(values)), mean_interval(np.log(values).tolist())
        spread = math.exp(log.high - log.value)
        return Interval(middle, middle / spread, middle * spread)
    around = mean_interval(values.tolist())
    return Interval(around.value, around.low, around.high)


def noisy(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows of a summary that say of a case that its samples spread more than the bound."""
    return summary[(summary["metric"] == "iqr_over_median") & (summary["value"] > NOISE_BOUND)]
