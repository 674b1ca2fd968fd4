"""Every case of the runs in tables, one per kind of measurement; metrics declare the columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.core.axes import AXES
from bench.core.measure import Measure
from bench.core.measures.cold_start import COLD_START
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.core.measures.text import TEXT
from bench.core.metric import USUAL_SCALE
from bench.core.metrics import METRICS
from bench.report.table import Table
from bench.report.view import View, each
from bench.wording.numbers import ratio_text, significant

FILTERS = ("Run", "Suite", "Model", "Device", "Dtype", "Status")
"""Columns of which the reader may pick one value."""
RATIO = "vs reference"
NOISY = ", noisy"
"""What the status of a case says whose noise is over the bound."""
SAID_ONCE = ("Weights", *(axis.title for axis in AXES if axis.title not in FILTERS), "Threads")
"""Columns that are left out where every case has the same."""


CAPTIONS = {
    FORWARD: "Timed cases",
    TEXT: "Cases on a text",
    MEMORY: "Memory cases",
    COLD_START: "Cold starts",
    STATIC: "Counted cases",
}
"""Kinds whose tables come first, with what those are called."""


@dataclass(frozen=True)
class PageColumn:
    """A metric, or its ratio to the reference, as a column in one scale: to be read and sorted."""

    title: str
    metric: str
    factor: float = 1.0
    interval: bool = True
    is_ratio: bool = False


def case_tables(views: list[View]) -> list[Table]:
    """One table per kind of measurement, with every case of every run, failed ones included."""
    found = []
    for kind, (caption, shown) in _kinds(views).items():
        parts = [_cases(view, kind, shown, with_run=len(views) > 1) for view in views]
        rows = [row for part in parts for row in part]
        if rows:
            found.append(_as_table(f"cases-{kind}", caption, shown, rows))
    return found


def _kinds(views: list[View]) -> dict[str, tuple[str, list[PageColumn]]]:
    """Kinds with columns of their own, then any other: no case is left out."""
    kinds = {kind.name: (caption, _declared(kind)) for kind, caption in CAPTIONS.items()}
    for view in views:
        for kind in dict.fromkeys(view.measures):
            if kind not in kinds:
                cases = view.plan["case"][[m == kind for m in view.measures]]
                caption = f"Cases measured as {kind.replace('_', ' ')}"
                kinds[kind] = (caption, _measured(view, cases))
    return kinds


def _declared(kind: Measure) -> list[PageColumn]:
    """The columns that metrics declare for a kind of measurement."""
    found: list[PageColumn] = []
    for metric in METRICS.values():
        for column in metric.columns:
            if kind in column.kinds:
                scale = column.scale or USUAL_SCALE[metric.unit]
                factor, unit = scale.value
                found.append(
                    PageColumn(f"{column.title}{unit}", metric.name, factor, column.interval)
                )
                if column.ratio:
                    again = any(other.is_ratio for other in found)
                    title = f"{column.title} {RATIO.lower()}" if again else RATIO
                    found.append(PageColumn(title, metric.name, is_ratio=True))
    return found


def _measured(view: View, cases: pd.Series) -> list[PageColumn]:
    """A column for each metric that the cases have, in the usual scale of its unit."""
    own = view.summary[view.summary["case"].isin(cases)]
    found = []
    for name in own["metric"].unique():
        if name in METRICS:
            factor, unit = USUAL_SCALE[METRICS[name].unit].value
            found.append(PageColumn(f"{METRICS[name].title}{unit}", name, factor))
    return found


def _as_table(
    name: str, caption: str, shown: list[PageColumn], rows: list[dict[str, str]]
) -> Table:
    """What differs between cases stands first; what is the same for all comes last or below."""
    used = [t for t in rows[0] if any(row[t] for row in rows)]
    same = [t for t in used if len(rows) > 1 and len({row[t] for row in rows}) == 1]
    below = [t for t in SAID_ONCE if t in same]
    last = [t for t in FILTERS if t in used and (t == "Suite" or t in same) and t != "Model"]
    titles = [t for t in used if t not in (*below, *last)] + last
    numeric = {"Batch", "Tokens", "Threads", "Processes", "Samples", *(s.title for s in shown)}
    notes = [f"All: {', '.join(f'{t.lower()} {rows[0][t]}' for t in below)}."] if below else []
    if any("[" in row[s.title] for row in rows for s in shown):
        notes.append("Brackets hold 95 % intervals.")
    if any(s.metric == "latency_p99" for s in shown):
        notes.append("A percentile without enough samples is left out.")
    title_of = {s.metric: s.title for s in shown if not s.is_ratio}
    peak, held = (title_of.get(m, "") for m in ("cuda_peak_allocated_bytes", "cuda_process_bytes"))
    if any(row.get(peak) and not row.get(held) for row in rows):
        notes.append(
            "NVML gave no memory of the process itself: it knows processes by the host’s numbers, "
            "which a container does not see."
        )
    return Table(
        name,
        f"{caption} ({len(rows)})",
        titles,
        [[row[t] for t in titles] for row in rows],
        {i for i, t in enumerate(titles) if t in numeric},
        sortable=True,
        note=" ".join(notes),
    )


def _cases(
    view: View, kind: str, shown: list[PageColumn], *, with_run: bool
) -> list[dict[str, str]]:
    plan = view.plan.assign(measure=view.measures)
    plan = plan[plan["measure"] == kind]
    recorded = view.run.cases.set_index("case").to_dict("index")
    columns = {s.title: _cells(view, s) for s in shown}
    samples = view.values("latency").set_index("case")["n"].to_dict()
    rows = []
    for case in each(plan):
        row = _identity(case, view.run.id if with_run else "")
        row |= {s.title: columns[s.title].get(case.case, "") for s in shown}
        row |= _ending(recorded.get(case.case) or {}, samples.get(case.case))
        if case.case in view.analysis.noisy:
            row["Status"] += NOISY
        rows.append(row)
    return rows


def _identity(case: Any, run: str) -> dict[str, str]:
    return {
        "Model": str(case.model),
        "Run": run,
        "Suite": str(case.suite),
        "Weights": str(case.weights),
        "Device": str(case.device),
        **{axis.title: str(getattr(case, axis.name)) for axis in AXES},
        "Threads": str(case.threads),
        "Batch": str(case.batch_size),
        "Tokens": str(case.seq_len or "text"),
    }


def _ending(recorded: Mapping[Any, Any], samples: Any) -> dict[str, str]:
    """How the case ended: its reason if it failed, else why sampling stopped."""
    return {
        "Processes": str(recorded.get("processes", "")),
        "Samples": "" if samples is None else str(int(samples)),
        "Status": str(recorded.get("status", "not finished")),
        "Reason or stop": str(recorded.get("reason") or recorded.get("stop") or ""),
    }


def _cells(view: View, shown: PageColumn) -> dict[str, str]:
    """The column's text for each case that has the metric."""
    if shown.is_ratio:
        rows = view.compared(shown.metric)
        return {str(r.case): ratio_text(r).replace("×", "") for r in each(rows)}
    rows = view.values(shown.metric)
    return {str(r.case): _value(shown, r.value, r.low, r.high) for r in each(rows)}


def _value(shown: PageColumn, value: float, low: float, high: float) -> str:
    text = significant(value * shown.factor)
    if not shown.interval or not math.isfinite(low + high):
        return text
    return f"{text} [{significant(low * shown.factor)}, {significant(high * shown.factor)}]"
