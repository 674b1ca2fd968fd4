"""Tables of the page: every case, the environment, and what disturbed the run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.metrics import METRICS
from bench.report.text import bounds, decimals, quantity, significant
from bench.report.view import View, each
from bench.spec import Measure

FILTERS = ("Run", "Suite", "Model", "Device", "Dtype", "Status")
"""Columns of which the reader may pick one value."""
NOISY = ", noisy"
"""What the status of a case says whose noise is over the bound."""
SAID_ONCE = ("Weights", "Attention", "Threads")
"""Columns that are left out where every case has the same."""


@dataclass(frozen=True)
class Table:
    """A table with a caption; `numeric` holds the places of columns that sort as numbers."""

    id: str
    caption: str
    columns: list[str]
    rows: list[list[str]]
    numeric: set[int] = field(default_factory=set)
    sortable: bool = False
    note: str = ""


@dataclass(frozen=True)
class Shown:
    """A metric as a column: in one unit, so that the column can be read and sorted."""

    title: str
    metric: str
    scale: float = 1.0
    interval: bool = True
    of: str = "summary"


MILLION, GIGA, MB, MS = 1e-6, 1e-9, 1e-6, 1e3
KINDS: dict[Measure, tuple[str, tuple[Shown, ...]]] = {
    Measure.FORWARD: (
        "Timed cases",
        (
            Shown("Latency, ms", "latency", MS),
            Shown("vs reference", "latency", of="ratios"),
            Shown("p90, ms", "latency_p90", MS),
            Shown("p95, ms", "latency_p95", MS),
            Shown("p99, ms", "latency_p99", MS),
            Shown("Sequences/s", "throughput_sequences", interval=False),
            Shown("Tokens/s", "throughput_tokens", interval=False),
            Shown("CPU time, ms", "cpu_time", MS, interval=False),
            Shown("Of the matrix product’s speed, %", "gemm_share", 100.0),
            Shown("Noise, %", "noise", 100.0, interval=False),
            Shown("Words/s", "throughput_words", interval=False),
            Shown("Tokens/word", "tokens_per_word", interval=False),
            Shown("Tokenizing, ms", "tokenize_time", MS, interval=False),
            Shown("Padding, %", "padding_share", 100.0, interval=False),
        ),
    ),
    Measure.MEMORY: (
        "Memory cases",
        (
            Shown("Weights, MB", "weight_bytes", MB),
            Shown("Peak activations, MB", "peak_activation_bytes", MB),
            Shown("Peak RSS, MB", "peak_rss_bytes", MB),
            Shown("vs reference", "peak_rss_bytes", of="ratios"),
            Shown("CUDA peak, MB", "cuda_peak_allocated_bytes", MB),
            Shown("CUDA reserved, MB", "cuda_peak_reserved_bytes", MB),
            Shown("Peak RSS loading, MB", "load_peak_rss_bytes", MB, interval=False),
            Shown("Load time, ms", "load_time", MS),
        ),
    ),
    Measure.COLD_START: (
        "Cold starts",
        (
            Shown("To first output, ms", "cold_start", MS),
            Shown("vs reference", "cold_start", of="ratios"),
            Shown("Start and import, ms", "cold_import", MS, interval=False),
            Shown("Build and read weights, ms", "cold_weights", MS, interval=False),
            Shown("First forward, ms", "first_forward", MS, interval=False),
            Shown("Second forward, ms", "second_forward", MS, interval=False),
        ),
    ),
    Measure.STATIC: (
        "Counted cases",
        (
            Shown("Stored, M", "stored_parameters", MILLION),
            Shown("vs reference", "stored_parameters", of="ratios"),
            Shown("Applied, M", "applied_parameters", MILLION),
            Shown("Weights, MB", "weight_bytes", MB),
            Shown("GFLOPs", "flops", GIGA),
            Shown("Operators", "operators"),
        ),
    ),
}


def case_tables(views: list[View]) -> list[Table]:
    """One table per kind of measurement, with every case of every run, failed ones included."""
    found = []
    for kind, (caption, shown) in KINDS.items():
        parts = [_cases(view, kind, shown, with_run=len(views) > 1) for view in views]
        rows = [row for part in parts for row in part]
        if rows:
            found.append(_as_table(f"cases-{kind.value}", caption, shown, rows))
    return found


def _as_table(
    name: str, caption: str, shown: tuple[Shown, ...], rows: list[dict[str, str]]
) -> Table:
    """Columns in their order; what is the same for all cases is said once, below."""
    used = [t for t in rows[0] if any(row[t] for row in rows)]
    same = [t for t in SAID_ONCE if t in used and len({row[t] for row in rows}) == 1]
    titles = [t for t in used if t not in same]
    numeric = {"Batch", "Tokens", "Threads", "Repeats", "Samples", *(s.title for s in shown)}
    all_have = f"All: {', '.join(f'{t.lower()} {rows[0][t]}' for t in same)}. " if same else ""
    return Table(
        name,
        f"{caption} ({len(rows)})",
        titles,
        [[row[t] for t in titles] for row in rows],
        {i for i, t in enumerate(titles) if t in numeric},
        sortable=True,
        note=f"{all_have}Brackets hold 95 % intervals; a percentile without enough samples is "
        "left out.",
    )


def _cases(
    view: View, kind: Measure, shown: tuple[Shown, ...], *, with_run: bool
) -> list[dict[str, str]]:
    plan = view.plan.assign(measure=view.measures)
    plan = plan[plan["measure"] == kind.value]
    recorded = view.run.cases.set_index("case").to_dict("index")
    columns = {(s.of, s.metric): _cells(view, s) for s in shown}
    samples = view.values("latency").set_index("case")["n"].to_dict()
    rows = []
    for case in each(plan):
        row = {"Run": view.run.id} if with_run else {}
        row |= _identity(case)
        row |= {s.title: columns[s.of, s.metric].get(case.case, "") for s in shown}
        row |= _ending(recorded.get(case.case) or {}, samples.get(case.case))
        if case.case in view.noisy:
            row["Status"] += NOISY
        rows.append(row)
    return rows


def _identity(case: Any) -> dict[str, str]:
    return {
        "Suite": str(case.suite),
        "Model": str(case.model),
        "Weights": str(case.weights),
        "Device": str(case.device),
        "Dtype": str(case.dtype),
        "Attention": str(case.attention),
        "Threads": str(case.threads),
        "Batch": str(case.batch_size),
        "Tokens": str(case.seq_len or "text"),
    }


def _ending(recorded: Mapping[Any, Any], samples: Any) -> dict[str, str]:
    """How the case ended: its reason if it failed, else why sampling stopped."""
    return {
        "Repeats": str(recorded.get("repeats", "")),
        "Samples": "" if samples is None else str(int(samples)),
        "Status": str(recorded.get("status", "not finished")),
        "Reason or stop": str(recorded.get("reason") or recorded.get("stop") or ""),
    }


def _cells(view: View, shown: Shown) -> dict[str, str]:
    """The column's text for each case that has the metric."""
    if shown.of == "ratios":
        rows = view.compared(shown.metric)
        return {str(r.case): _ratio(r.ratio, r.low, r.high) for r in each(rows)}
    rows = view.values(shown.metric)
    return {str(r.case): _value(shown, r.value, r.low, r.high) for r in each(rows)}


def _ratio(ratio: float, low: float, high: float) -> str:
    return (
        significant(ratio)
        if low == high
        else (f"{ratio:.{decimals(low, high)}f} {bounds(low, high)}")
    )


def _value(shown: Shown, value: float, low: float, high: float) -> str:
    text = significant(value * shown.scale)
    if not shown.interval or not math.isfinite(low + high):
        return text
    return f"{text} [{significant(low * shown.scale)}, {significant(high * shown.scale)}]"


def environment_table(views: list[View]) -> Table:
    """Machine, software, fingerprint and options, a column per run."""
    columns = [_flat(view) for view in views]
    keys = list(dict.fromkeys(k for column in columns for k in column))
    rows = [[key, *(column.get(key, "–") for column in columns)] for key in keys]
    heads = [v.run.id for v in views] if len(views) > 1 else ["Value"]
    return Table("environment-table", "Environment", ["What", *heads], rows)


def _flat(view: View) -> dict[str, str]:
    environment = view.run.environment
    facts = {k: v for k, v in view.facts.items() if k not in ("plan", "options")}
    parts = {
        "run": facts,
        "options": view.facts.get("options", {}),
        **{
            k: v for k, v in environment.items() if k not in ("run", "format", "warnings", "sanity")
        },
    }
    return {k: v for name, part in parts.items() for k, v in _entries(name, part)}


def _entries(name: str, value: Any) -> Iterable[tuple[str, str]]:
    """`machine: cpu` and its text for each leaf of nested dicts."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _entries(f"{name}: {key}".replace("_", " "), inner)
    else:
        yield name, _plain(name, value)


def _plain(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and name.endswith(" bytes"):
        return quantity(float(value), "B")
    if isinstance(value, float):
        return significant(value, 4)
    if isinstance(value, list):
        return ", ".join(_plain("", v) for v in value) or "none"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


DISTURBANCES: tuple[tuple[str, Callable[[pd.Series], float], str], ...] = (
    ("steal_time", pd.Series.sum, "in total"),
    ("involuntary_switches", pd.Series.sum, "in total"),
    ("major_page_faults", pd.Series.sum, "in total"),
    ("load_average", pd.Series.max, "at most"),
)
"""Metric, how its repeats are put together, and the words for that."""


def sanity_table(view: View) -> Table | None:
    """The likeliest words for the mask of each sentence, by model; None with random weights."""
    rows = [
        [model, str(line["text"]), ", ".join(_prediction(one) for one in line["predictions"])]
        for model, lines in (view.run.environment.get("sanity") or {}).items()
        for line in lines
    ]
    if not rows:
        return None
    columns = ["Model", "Sentence", "Likeliest words (probability)"]
    return Table("sanity-table", "Fill-mask on two sentences", columns, rows)


def _prediction(found: Mapping[str, Any]) -> str:
    return f"{str(found['token']).strip()} ({float(found['score']):.0%})"


def disturbance_table(view: View) -> Table | None:
    """What disturbed the timed repeats: per counter the whole, and the case it hit hardest."""
    rows = []
    # The models of a workload share a process, and so its counters: each is counted once.
    measured = view.run.measurements.join(view.plan.set_index("case")[["model"]], on="case")
    for name, together, words in DISTURBANCES:
        found = measured[measured["metric"] == name]
        if found.empty:
            continue
        own = found[found["model"] == found["model"].iloc[0]]
        unit = METRICS[name].unit.value
        worst = own.loc[own["value"].idxmax()]
        rows.append(
            [
                METRICS[name].title,
                f"{quantity(float(together(own['value'])), unit)} {words}",
                quantity(float(worst["value"]), unit),
                f"{worst['case']}, repeat {worst['repeat']}" if worst["value"] else "–",
            ]
        )
    rows += _of_rounds(view.run.rounds)
    if not rows:
        return None
    return Table(
        "disturbances",
        "What disturbed the timed repeats",
        ["Counter", "Over the run", "Worst repeat", "Where"],
        rows,
    )


def _of_rounds(rounds: pd.DataFrame) -> list[list[str]]:
    """Heat and clock frequency, where the machine told of them between rounds."""
    found = []
    throttled, clock = rounds["throttled"].dropna(), rounds["cpu_hz"].dropna() / 1e9
    if len(throttled):
        most = f"{throttled.max():.0f}"
        found.append(
            [
                "Slowed down by heat or stopped by a CPU quota, times",
                f"{throttled.sum():.0f} in total",
                most,
                "–",
            ]
        )
    if len(clock):
        span = f"{clock.min():.2f} to {clock.max():.2f} GHz"
        found.append(["Clock frequency", span, f"{clock.min():.2f} GHz", "–"])
    return found
