"""The speed-up of variants and threads over their reference, from a run's tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.core.axes import Variant
from bench.core.case import COMPARED, Workload, compares_threads, group_of
from bench.stats.intervals import Interval
from bench.stats.relation import Relation, judge, processes_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SpeedUp:
    """One case beside its reference: how many times as fast, with its 95 % interval.

    `error` is relative to float32 eager, `compile_s` in seconds, `artifact` in bytes; each is None
    where there is none.
    """

    case: str
    suite: str
    model: str
    device: str
    workload: Workload
    label: str
    reference: str
    setting: str
    """What it shares with its reference, where that is not as usual."""
    threads: int
    speed: float
    low: float
    high: float
    processes: int
    latency_s: float
    error: float | None
    compile_s: float | None
    artifact: float | None

    @property
    def efficiency(self) -> float:
        """Speed-up per thread."""
        return self.speed / self.threads

    @property
    def threads_compared(self) -> bool:
        """Whether it is a number of threads that is compared, not a variant."""
        return compares_threads(self.case, self.threads)

    @property
    def is_faster(self) -> bool:
        """Whether it is known to be faster than its reference."""
        found = judge(Interval(self.speed, self.low, self.high), self.processes)
        return found.relation is Relation.MORE


def compares_models(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of cases that are compared between models; the others are in `speedups`."""
    return table[~table["case"].str.contains(COMPARED, regex=False)]


def speedups(summary: pd.DataFrame, ratios: pd.DataFrame) -> list[SpeedUp]:
    """Every compared variant and number of threads, in the order of the run."""
    rows = ratios[(ratios["metric"] == "latency") & ratios["case"].str.contains(COMPARED)]
    values = {
        (row.case, row.metric): row.value
        for row in summary[summary["case"].isin(rows["case"])].itertuples()
    }
    return [_speedup(row, values) for row in rows.itertuples()]


def _speedup(row: Any, values: dict[tuple[Any, Any], Any]) -> SpeedUp:
    from bench.stats.ratios import variant_of

    variant = variant_of(row)
    label, setting = str(variant), " ".join(variant.setting)
    if compares_threads(row.case, row.threads):
        setting = "" if variant == Variant() else str(variant)
        label = ", ".join(filter(None, (f"{row.threads} threads", setting)))
    return SpeedUp(
        row.case,
        row.suite,
        row.model,
        row.device,
        Workload(row.batch_size, row.seq_len),
        label,
        row.reference,
        setting,
        row.threads,
        1 / row.ratio,
        1 / row.high,
        1 / row.low,
        processes_of(row),
        values[row.case, "latency"],
        values.get((row.case, "output_error")),
        values.get((row.case, "compile_time")),
        values.get((row.case, "artifact_bytes")),
    )


def best(found: list[SpeedUp]) -> Iterator[SpeedUp]:
    """For each model, device and workload the fastest variant that is faster beyond doubt."""
    groups: dict[str, SpeedUp] = {}
    for one in found:
        group = group_of(one.case)
        if one.is_faster and (group not in groups or one.speed > groups[group].speed):
            groups[group] = one
    yield from groups.values()
