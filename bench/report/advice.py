"""The recommendation: which model for what, no more than size and speed together support."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.core.metrics import PEAK, headlines
from bench.report.view import Context, View, at, each, workload_text
from bench.stats.relation import Relation, judge_row
from bench.wording.numbers import ratio_text
from bench.wording.verdicts import Overall, Speeds

ANOTHER_STORY = 1.25
"""A ratio of peak memory this many times the usual one is said as well."""
_WHERE_SPEED = {
    Overall.SLOWER: "for speed, take {other}",
    Overall.FASTER: "for speed too",
    Overall.PARTLY_SLOWER: "for speed, take {other} at the workloads where it is ahead",
    Overall.PARTLY_FASTER: "for speed too, at the workloads where it is ahead",
    Overall.MIXED: "for speed, look up your own workload below",
    Overall.CLOSE: "speed is no reason to choose either: their times are too close",
    Overall.NOT_KNOWN: "which is faster is not known yet",
    None: "their speeds were not compared",
}
_FOR_SPEED = {
    Overall.FASTER: "On this machine {name} is the faster choice.",
    Overall.SLOWER: "On this machine {other} is the faster choice.",
    Overall.PARTLY_FASTER: "For speed, take {name} at the workloads below where it is ahead.",
    Overall.PARTLY_SLOWER: "For speed, take {other} at the workloads below where it is ahead.",
    Overall.MIXED: "Look up your own workload below before choosing for speed.",
    Overall.CLOSE: "On this machine speed is no reason to choose either.",
}


def advice(view: View, context: Context, model: str, timed: pd.DataFrame) -> str:
    """The recommendation: no more than size and speed together support."""
    name, other = view.names[model], view.names[view.reference]
    stored = view.one_ratio("weight_bytes", model, context) or view.one_ratio(
        "stored_parameters", model, context
    )
    speed = Speeds.of(timed.itertuples()).overall
    size = None if stored is None else judge_row(stored).relation
    if size is Relation.LESS:
        ending = _WHERE_SPEED[speed].format(other=other)
        return (
            f"Take {name} where download, disk or resident weights are the limit"
            f"{_peak_clause(view, context, model)}; {ending}."
        )
    return (_FOR_SPEED.get(speed, "") if speed else "").format(name=name, other=other)


def _peak_clause(view: View, context: Context, model: str) -> str:
    """Peak memory at the usual workload and, where it differs, at the largest one."""
    metric, row = peak_ratio(view, context, model)
    if row is None:
        return ""
    words = "peak RSS" if metric == "peak_rss_bytes" else "CUDA peak"
    rows = view.compared(metric, context)
    own = rows[rows["model"] == model]
    largest = max(each(own), key=lambda r: (r.batch_size * r.seq_len, r.batch_size))
    text = (
        f"{words} at {workload_text(row.batch_size, row.seq_len)}: {ratio_text(row)} that of "
        f"{view.names[view.reference]}"
    )
    if largest.ratio > ANOTHER_STORY * row.ratio:
        text += (
            f", but {ratio_text(largest)} at {workload_text(largest.batch_size, largest.seq_len)}"
        )
    return f" ({text})"


def peak_ratio(view: View, context: Context, model: str) -> tuple[str, Any | None]:
    """Metric and row of the ratio of peak memory at the usual workload."""
    names = [metric.name for metric in headlines()[PEAK]]
    for name in names:
        row = at(view.compared(name, context), view.workload(name, context), model)
        if row is not None:
            return name, row
    return names[-1], None
