"""Samples to numbers: medians, percentiles, intervals and paired ratios, computed from raw tables.

All intervals are 95 %. Between processes they are Student's t on the log of each process's value;
within one process (a run of one repeat) they are order statistics of its samples. Those of
percentiles heed both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import bdtr, bdtrik, ndtri, stdtrit

from bench.core.axes import Variant
from bench.core.case import OWN_LENGTHS, Status, references_of
from bench.core.english import counted
from bench.core.metrics import METRICS, Unit, metric
from bench.results.store import IDENTITY, RATIOS, SUMMARY, Run
from bench.runner.stopping import Looks

FloatArray = npt.NDArray[np.float64]

CONFIDENCE = 0.95
TIMED = {"latency": "wall_s", "cpu_time": "cpu_s"}
"""Timed metrics and the column of samples they come from."""
PERCENTILES = {"latency_p90": (0.90, 29), "latency_p95": (0.95, 59), "latency_p99": (0.99, 299)}
"""Metric: (quantile, fewest samples whose largest lies above it with 95 % confidence)."""


@dataclass(frozen=True)
class Interval:
    """An estimate between bounds; bounds are NaN where nothing can be said of them."""

    value: float
    low: float
    high: float


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean with Student's t interval; one value alone has no bounds."""
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Interval(mean, math.nan, math.nan)
    half = _student(n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half)


@cache
def _student(freedom: int) -> float:
    """Two-sided quantile of Student's t (cached: scipy takes far longer than our arithmetic)."""
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


@cache
def _ranks(n: int, quantile: float) -> tuple[int, int]:
    """Ranks, from 0, of the order statistics that bound a quantile of n samples."""
    low, high = (_successes(p, n, quantile) for p in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return low - 1, high


def _successes(p: float, n: int, chance: float) -> int:
    """The fewest successes in n trials that so many, or fewer, have at least the probability p.

    scipy.stats has this by name, but takes half a second to import.
    """
    count: int = max(math.ceil(bdtrik(p, n, chance)), 0)
    return count - 1 if count and bdtr(count - 1, n, chance) >= p else count


def quantile_interval(values: FloatArray, quantile: float) -> Interval:
    """A quantile with its order-statistic interval; a bound beyond the samples is NaN."""
    ordered = np.sort(values)
    n = len(ordered)
    low, high = _ranks(n, quantile)
    return Interval(
        float(np.quantile(ordered, quantile)),
        float(ordered[low]) if low >= 0 else math.nan,
        float(ordered[high]) if high < n else math.nan,
    )


def percentile_interval(
    samples: FloatArray, processes: Sequence[FloatArray], quantile: float
) -> Interval:
    """A percentile of all samples, with an interval that covers what processes differ by.

    It moves with the processes' own percentiles (Student's t on their logs) and, lying in the tail
    of all of them together, with how far they are apart, of which few processes tell little: the
    delta method for a normal mixture. Never narrower than the order statistics of the samples. In
    simulations of 3 to 10 processes, normal and skewed, it holds the truth 89 to 99 times in 100;
    the order statistics alone, which take all samples for independent, 13 to 97.
    """
    whole, count = quantile_interval(samples, quantile), len(processes)
    if count < 2 or not (samples > 0).all():
        return whole
    own = np.log([np.quantile(one, quantile) for one in processes])
    between = float(np.var(own, ddof=1))
    within = float(np.mean([np.var(np.log(one)) for one in processes]))
    if not between:
        return whole
    tail = float(ndtri(quantile)) ** 2 * between / (between + within)
    error = math.sqrt(between * (1 / count + tail / (2 * (count - 1))))
    reach = math.exp(_student(count - 1) * error)
    # In this order an unknown bound, which is NaN, stays unknown.
    return Interval(
        whole.value, min(whole.low, whole.value / reach), max(whole.high, whole.value * reach)
    )


def plan_table(run: Run) -> pd.DataFrame:
    """Identity columns of every planned case, by case; the environment holds them as planned."""
    table = pd.DataFrame(run.environment["run"]["plan"], columns=["case", *IDENTITY])
    failed = run.cases.loc[run.cases["status"] != Status.OK.value, "case"]
    return table[~table["case"].isin(failed)].drop_duplicates("case").set_index("case")


def summarise(run: Run) -> pd.DataFrame:
    """One row per case and metric (columns of records.SUMMARY) for all cases that did not fail."""
    plan = plan_table(run)
    rows: list[tuple[str, str, Interval, int]] = []
    kept = run.samples[(run.samples["phase"] == "sample") & run.samples["case"].isin(plan.index)]
    sizes: dict[str, tuple[Any, Any]] = {
        str(row.Index): (row.batch_size, row.seq_len) for row in plan.itertuples()
    }
    medians = kept.groupby(["case", "repeat"], sort=False)[list(TIMED.values())].median()
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
    repeats = samples["repeat"].to_numpy()
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
        yield case, "noise", Interval(noise, math.nan, math.nan), n
    for name, (quantile, needed) in PERCENTILES.items():
        if n >= needed:
            own = [wall[repeats == repeat] for repeat in medians.index.unique("repeat")]
            yield case, name, percentile_interval(wall, own, quantile), n


def _host_rows(samples: pd.DataFrame) -> Iterable[tuple[str, str, Interval, int]]:
    """How long the host takes to give a device one forward, at the fastest.

    Of warm-up forwards, each of which finds the device idle: in a round transformers' look at the
    attention mask waits for all that is queued, which would make every host look busy. Without
    the first of a process, which sets libraries up.
    """
    told = samples[(samples["phase"] == "warmup") & samples["host_s"].notna()]
    again = told[told.groupby(["case", "repeat"], sort=False).cumcount() > 0]
    for case, host in again.groupby("case", sort=False)["host_s"]:
        yield str(case), "host_time", Interval(float(host.min()), math.nan, math.nan), len(host)


def _median_interval(samples: FloatArray, medians: FloatArray) -> Interval:
    """Median of all samples; its interval is the spread of the processes' `medians` around it."""
    value = float(np.median(samples))
    if len(medians) < 2 or not (medians > 0).all():
        return quantile_interval(samples, 0.5)
    spread = mean_interval(np.log(medians).tolist())
    half = spread.high - spread.value
    return Interval(value, value * math.exp(-half), value * math.exp(half))


def _measured(name: str, values: np.ndarray) -> Interval:
    """Exact values agree or are reported as a range; others get the interval of their mean.

    A duration is the median of its processes: now and then one of them is disturbed, never sped up.
    """
    if metric(name).exact:
        low, high = float(values.min()), float(values.max())
        return Interval(
            float(np.median(values)), *((low, high) if low != high else (math.nan,) * 2)
        )
    if metric(name).unit is Unit.SECONDS and metric(name).better and (values > 0).all():
        middle, log = float(np.median(values)), mean_interval(np.log(values).tolist())
        spread = math.exp(log.high - log.value)
        return Interval(middle, middle / spread, middle * spread)
    around = mean_interval(values.tolist())
    return Interval(around.value, around.low, around.high)


def round_log_ratios(samples: pd.DataFrame, plan: pd.DataFrame, column: str) -> pd.DataFrame:
    """Log-ratios of block minima against the reference: case, repeat, round, log_ratio.

    `plan` has a row per case with columns `group` and `reference` (the case it is compared with).
    """
    kept = samples[samples["phase"] == "sample"]
    fastest = kept.groupby(["case", "repeat", "round"], sort=False)[column].min()
    minima = fastest[fastest > 0].rename("value").reset_index()
    minima["reference"] = _partners(minima["case"], plan)
    pairs = minima.merge(
        minima[["case", "repeat", "round", "value"]],
        left_on=["reference", "repeat", "round"],
        right_on=["case", "repeat", "round"],
        suffixes=("", "_reference"),
    )
    pairs = pairs[pairs["case"] != pairs["reference"]]
    pairs["log_ratio"] = np.log(pairs["value"] / pairs["value_reference"])
    return pairs[["case", "repeat", "round", "log_ratio"]]


def references(run: Run) -> pd.DataFrame:
    """The plan with, for each case, the case of the reference model on the same workload."""
    plan = plan_table(run)
    facts = run.environment["run"]
    found = references_of(((r["case"], r["model"]) for r in facts["plan"]), facts["models"][0])
    plan["reference"] = plan.index.map(found)
    compared = plan[plan["reference"].isin(plan.index)]  # not where it has failed
    against = plan.loc[compared["reference"]]
    return compared.assign(
        against=[
            reference_name(row, other)
            for row, other in zip(each(compared), each(against), strict=True)
        ]
    )


def reference_name(case: Any, reference: Any) -> str:
    """What a case is compared with, in a word: another model, variant, or number of threads."""
    if case.model != reference.model:
        return str(reference.model)
    if case.threads != reference.threads:
        return counted(int(reference.threads), "thread")
    return str(variant_of(reference))


def variant_of(row: Any) -> Variant:
    """The variant that a row with identity columns is of."""
    return Variant(*(str(getattr(row, field.name)) for field in fields(Variant)))


def each(rows: pd.DataFrame) -> list[Any]:
    """The rows as named tuples; of what types their fields are, pandas cannot say."""
    return list(rows.itertuples())


def _partners(cases: pd.Series[str], plan: pd.DataFrame) -> pd.Series[str]:
    """The reference of each case, missing for those without one (pandas merges on equal types)."""
    return cases.map(plan["reference"]).astype(cases.dtype)


def ratios(run: Run) -> pd.DataFrame:
    """One row per case and metric (columns of records.RATIOS), model over reference model."""
    plan = references(run)
    rows = [*_paired_rows(run, plan), *_measured_rows(run, plan)]
    table = pd.DataFrame(
        rows, columns=["case", "metric", "ratio", "low", "high", "rounds", "repeats"]
    )
    order = {case: i for i, case in enumerate(plan.index)}
    table = table.sort_values("case", key=lambda c: c.map(order), kind="stable")
    identity = plan.drop(columns="reference").rename(columns={"against": "reference"})
    return table.join(identity, on="case")[list(RATIOS)].reset_index(drop=True)


Ratio = tuple[str, str, float, float, float, int, int]


def _paired_rows(run: Run, plan: pd.DataFrame) -> Iterable[Ratio]:
    for name, column in TIMED.items():
        told = run.samples
        if name == "cpu_time":  # see _timed_rows
            told = told[told["host_s"].isna()]
        logs = round_log_ratios(told, plan, column)
        # All at once, since a groupby per case would take most of the time of a long run's page.
        of_repeats = logs.groupby(["case", "repeat"], sort=False)["log_ratio"].median()
        by_case = {str(c): m.tolist() for c, m in of_repeats.groupby(level="case", sort=False)}
        for case, rounds in logs.groupby("case", sort=False)["log_ratio"]:
            medians = by_case[str(case)]
            found, repeats = ratio_interval(medians, rounds.to_numpy()), len(medians)
            yield str(case), name, found.value, found.low, found.high, len(rounds), repeats
            if name == "latency":
                rate = (1 / found.value, 1 / found.high, 1 / found.low)
                own_lengths = plan.loc[str(case), "seq_len"] == OWN_LENGTHS
                derived_names = ("throughput_sequences", "throughput_tokens")
                for derived in derived_names[: 1 if own_lengths else 2]:
                    yield str(case), derived, *rate, len(rounds), repeats


def ratio_interval(medians: Sequence[float], rounds: FloatArray) -> Interval:
    """A ratio from log-ratios: mean of the processes' `medians`; of one process, its `rounds`."""
    log = mean_interval(medians) if len(medians) > 1 else quantile_interval(rounds, 0.5)
    return Interval(math.exp(log.value), math.exp(log.low), math.exp(log.high))


def _whole(metrics: pd.Series[str]) -> pd.Series[str]:
    """Names of metrics without the part: `stored_parameters` for `stored_parameters.encoder`."""
    return metrics.str.replace(r"\..*", "", regex=True)


def _measured_rows(run: Run, plan: pd.DataFrame) -> Iterable[Ratio]:
    """Ratios of counted and read values; a value that was not timed in rounds has rounds = 0."""
    if plan.empty:  # one model: nothing to compare
        return
    comparable = {name for name, m in METRICS.items() if m.better}
    wide = run.measurements[_whole(run.measurements["metric"]).isin(comparable)]
    pairs = wide.assign(reference=_partners(wide["case"], plan)).merge(
        wide[["case", "repeat", "metric", "value"]],
        left_on=["reference", "repeat", "metric"],
        right_on=["case", "repeat", "metric"],
        suffixes=("", "_reference"),
    )
    pairs = pairs[(pairs["value"] > 0) & (pairs["value_reference"] > 0)]
    for (case, name), values in pairs.groupby(["case", "metric"], sort=False):
        logs = np.log(values["value"] / values["value_reference"])
        found = mean_interval(list(logs))
        if metric(str(name)).exact:
            found = Interval(found.value, float(logs.min()), float(logs.max()))
        bounds = (math.exp(found.value), math.exp(found.low), math.exp(found.high))
        yield str(case), str(name), *bounds, 0, len(values)


def looks_of(run: Run) -> Looks:
    """What `Looks` would have seen of a run that is on disk."""
    looks = Looks({str(case): str(other) for case, other in references(run)["reference"].items()})
    kept = run.samples[run.samples["phase"] == "sample"]
    for _, batch in kept.groupby(["repeat", "case"]):
        case, repeat = str(batch["case"].iloc[0]), int(batch["repeat"].iloc[0])
        looks.add(case, repeat, zip(batch["round"], batch["wall_s"], strict=True))
    return looks


def precise_groups(run: Run, precision: float) -> set[str]:
    """Groups of a run whose every ratio is known within +-`precision`: see Looks."""
    failed = run.cases.loc[run.cases["status"] != Status.OK.value, "case"]
    return looks_of(run).precise_groups(precision, set(failed))
