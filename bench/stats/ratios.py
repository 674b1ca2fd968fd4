"""Paired ratios: each case against its reference, round by round."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from bench.core.axes import Variant
from bench.core.case import OWN_LENGTHS, references_of
from bench.core.english import counted
from bench.core.metrics import METRICS, metric
from bench.results.planned import plan_table
from bench.results.store import RATIOS, Run
from bench.stats.intervals import Interval, mean_interval, ratio_interval

TIMED = {"latency": "wall_s", "cpu_time": "cpu_s"}
"""Timed metrics and the column of samples they come from."""


def round_log_ratios(samples: pd.DataFrame, plan: pd.DataFrame, column: str) -> pd.DataFrame:
    """Log-ratios of block minima against the reference: case, repeat, round, log_ratio.

    `plan` has a row per case with columns `group` and `reference` (the case it is compared with).
    """
    kept = samples[samples["phase"] == "sample"]
    fastest = kept.groupby(["case", "process", "round"], sort=False)[column].min()
    minima = fastest[fastest > 0].rename("value").reset_index()
    minima["reference"] = _partners(minima["case"], plan)
    pairs = minima.merge(
        minima[["case", "process", "round", "value"]],
        left_on=["reference", "process", "round"],
        right_on=["case", "process", "round"],
        suffixes=("", "_reference"),
    )
    pairs = pairs[pairs["case"] != pairs["reference"]]
    pairs["log_ratio"] = np.log(pairs["value"] / pairs["value_reference"])
    return pairs[["case", "process", "round", "log_ratio"]]


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
        rows, columns=["case", "metric", "ratio", "low", "high", "rounds", "processes"]
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
        of_repeats = logs.groupby(["case", "process"], sort=False)["log_ratio"].median()
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


def _whole(metrics: pd.Series[str]) -> pd.Series[str]:
    """Names of metrics without the part: `stored_parameters` for `stored_parameters.encoder`."""
    return metrics.str.replace(r"\..*", "", regex=True)


def _measured_rows(run: Run, plan: pd.DataFrame) -> Iterable[Ratio]:
    """Ratios of counted and read values; a value that was not timed in rounds has rounds = 0."""
    if plan.empty:  # one model: nothing to compare
        return
    comparable = {name for name, m in METRICS.items() if m.is_compared}
    wide = run.measurements[_whole(run.measurements["metric"]).isin(comparable)]
    pairs = wide.assign(reference=_partners(wide["case"], plan)).merge(
        wide[["case", "process", "metric", "value"]],
        left_on=["reference", "process", "metric"],
        right_on=["case", "process", "metric"],
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
