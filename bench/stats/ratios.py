"""Paired ratios: each case against its reference, round by round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.core.axes import Variant
from bench.core.case import OWN_LENGTHS, references_of
from bench.core.english import counted
from bench.core.metrics import METRICS, metric
from bench.results.planned import plan_table
from bench.results.store import RATIOS, Run
from bench.stats.centres import case_intervals, centres, exponential, inverse, of_values
from bench.stats.intervals import FloatArray, Interval, bounds

TIMED = {"latency": "wall_s", "cpu_time": "cpu_s"}
"""Timed metrics and the column of samples they come from."""


def round_log_ratios(samples: pd.DataFrame, plan: pd.DataFrame, column: str) -> pd.DataFrame:
    """Log-ratios of the medians of blocks against the reference: case, process, round, log.

    Not of minima, which favour the case that spreads more. `plan` has a row per case with columns
    `group` and `reference` (the case it is compared with).
    """
    kept = samples[samples["phase"] == "sample"]
    middle = kept.groupby(["case", "process", "round"], sort=False)[column].median()
    blocks = middle[middle > 0].rename("value").reset_index()
    blocks["reference"] = _partners(blocks["case"], plan)
    pairs = blocks.merge(
        blocks[["case", "process", "round", "value"]],
        left_on=["reference", "process", "round"],
        right_on=["case", "process", "round"],
        suffixes=("", "_reference"),
    )
    pairs = pairs[pairs["case"] != pairs["reference"]]
    pairs["log"] = np.log(pairs["value"] / pairs["value_reference"])
    return pairs[["case", "process", "round", "log"]]


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
    return Variant.of_row(row)


def each(rows: pd.DataFrame) -> list[Any]:
    """The rows as named tuples; of what types their fields are, pandas cannot say."""
    return list(rows.itertuples())


def _partners(cases: pd.Series[str], plan: pd.DataFrame) -> pd.Series[str]:
    """The reference of each case, missing for those without one (pandas merges on equal types)."""
    return cases.map(plan["reference"]).astype(cases.dtype)


def ratios(run: Run) -> pd.DataFrame:
    """One row per case and metric (columns of schema.RATIOS), model over reference model."""
    plan = references(run)
    rows = [*_paired_rows(run, plan), *_measured_rows(run, plan)]
    table = pd.DataFrame(rows, columns=Ratio._fields)
    order = {case: i for i, case in enumerate(plan.index)}
    table = table.sort_values("case", key=lambda c: c.map(order), kind="stable")
    identity = plan.drop(columns="reference").rename(columns={"against": "reference"})
    return table.join(identity, on="case")[list(RATIOS)].reset_index(drop=True)


class Ratio(NamedTuple):
    """A row of the ratios, without what the plan knows of its case."""

    case: str
    metric: str
    ratio: float
    low: float
    high: float
    rounds: int
    processes: int


def _paired_rows(run: Run, plan: pd.DataFrame) -> Iterator[Ratio]:
    for name, column in TIMED.items():
        samples = run.samples
        if name == "cpu_time":  # see summary: beside a device the CPU mostly waits for it
            samples = samples[samples["host_s"].isna()]
        found = centres(round_log_ratios(samples, plan, column))
        for case, interval in case_intervals(found).items():
            behind = sum(one.rounds for one in found[case]), len(found[case])
            yield Ratio(case, name, *bounds(interval), *behind)
            if name == "latency":
                rates = ["throughput_sequences", "throughput_tokens"]
                if plan.loc[case, "seq_len"] == OWN_LENGTHS:
                    rates.pop()
                for derived in rates:
                    yield Ratio(case, derived, *bounds(inverse(interval)), *behind)


def _whole(metrics: pd.Series[str]) -> pd.Series[str]:
    """Names of metrics without the part: `stored_parameters` for `stored_parameters.encoder`."""
    return metrics.str.replace(r"\..*", "", regex=True)


def _measured_rows(run: Run, plan: pd.DataFrame) -> Iterator[Ratio]:
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
    pairs = pairs.assign(ratio=pairs["value"] / pairs["value_reference"])
    for name, values in pairs.groupby("metric", sort=False):
        found = of_values(values, "ratio")
        if metric(str(name)).exact:
            intervals = {
                str(case): exponential(mean_and_range(np.log(own.to_numpy())))
                for case, own in values.groupby("case", sort=False)["ratio"]
            }
        else:
            intervals = case_intervals(found)
        for case, interval in intervals.items():
            yield Ratio(case, str(name), *bounds(interval), 0, len(found[case]))


def mean_and_range(values: FloatArray) -> Interval:
    """The mean between the least and the greatest: what is counted does not spread by chance."""
    return Interval(float(np.mean(values)), float(np.min(values)), float(np.max(values)))
