"""Tables of the page: every case, the environment, and what disturbed the run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.core.case import Measure
from bench.core.metrics import METRICS
from bench.report.table import Table
from bench.report.view import View, each
from bench.wording.numbers import bounds, decimals, quantity, significant

FILTERS = ("Run", "Suite", "Model", "Device", "Dtype", "Status")
"""Columns of which the reader may pick one value."""
ON_DEVICE = "Process on the device, MB"
NOISY = ", noisy"
"""What the status of a case says whose noise is over the bound."""
SAID_ONCE = ("Weights", "Attention", "Backend", "Compile", "Head", "Cache", "Threads")
"""Columns that are left out where every case has the same."""


@dataclass(frozen=True)
class Shown:
    """A metric as a column: in one unit, so that the column can be read and sorted."""

    title: str
    metric: str
    scale: float = 1.0
    interval: bool = True
    of: str = "summary"


MILLION, GIGA, MB, MS = 1e-6, 1e-9, 1e-6, 1e3
OF_TIME = (
    Shown("Latency, ms", "latency", MS),
    Shown("vs reference", "latency", of="ratios"),
    Shown("p90, ms", "latency_p90", MS),
    Shown("p95, ms", "latency_p95", MS),
    Shown("p99, ms", "latency_p99", MS),
    Shown("Sequences/s", "throughput_sequences", interval=False),
    Shown("Tokens/s", "throughput_tokens", interval=False),
)
KINDS: dict[Measure, tuple[str, tuple[Shown, ...]]] = {
    Measure.FORWARD: (
        "Timed cases",
        (
            *OF_TIME,
            Shown("CPU time, ms", "cpu_time", MS, interval=False),
            Shown("Of the matrix product’s speed, %", "gemm_share", 100.0),
            Shown("Noise, %", "iqr_over_median", 100.0, interval=False),
            Shown("Energy per sequence, J", "energy_per_sequence"),
            Shown("Host time, ms", "host_time", MS, interval=False),
            Shown("Relative error", "output_error", interval=False),
        ),
    ),
    Measure.TEXT: (
        "Cases on a text",
        (
            *OF_TIME,
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
            Shown(ON_DEVICE, "cuda_process_bytes", MB, interval=False),
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
            Shown("Set up the device, ms", "cold_device", MS, interval=False),
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
    for kind, (caption, shown) in _kinds(views).items():
        parts = [_cases(view, kind, shown, with_run=len(views) > 1) for view in views]
        rows = [row for part in parts for row in part]
        if rows:
            found.append(_as_table(f"cases-{kind}", caption, shown, rows))
    return found


def _kinds(views: list[View]) -> dict[str, tuple[str, tuple[Shown, ...]]]:
    """Kinds with columns of their own, then any other: no case is left out."""
    kinds = {kind.value: look for kind, look in KINDS.items()}
    for view in views:
        for kind in dict.fromkeys(view.measures):
            if kind not in kinds:
                cases = view.plan["case"][[m == kind for m in view.measures]]
                kinds[kind] = (
                    f"Cases measured as {kind.replace('_', ' ')}",
                    _plain_columns(view, cases),
                )
    return kinds


def _plain_columns(view: View, cases: pd.Series) -> tuple[Shown, ...]:
    """A column for each metric that the cases have, in its unit."""
    own = view.summary[view.summary["case"].isin(cases)]
    names = [n for n in own["metric"].unique() if n in METRICS]
    scales = {"s": (MS, ", ms"), "B": (MB, ", MB"), "1": (1.0, "")}
    return tuple(
        Shown(f"{METRICS[n].title}{unit}", n, scale)
        for n in names
        for scale, unit in [scales.get(METRICS[n].unit.value, (1.0, ""))]
    )


def _as_table(
    name: str, caption: str, shown: tuple[Shown, ...], rows: list[dict[str, str]]
) -> Table:
    """What differs between cases stands first; what is the same for all comes last or below."""
    used = [t for t in rows[0] if any(row[t] for row in rows)]
    same = [t for t in used if len(rows) > 1 and len({row[t] for row in rows}) == 1]
    below = [t for t in SAID_ONCE if t in same]
    last = [t for t in FILTERS if t in used and (t == "Suite" or t in same) and t != "Model"]
    titles = [t for t in used if t not in (*below, *last)] + last
    numeric = {"Batch", "Tokens", "Threads", "Repeats", "Samples", *(s.title for s in shown)}
    notes = [f"All: {', '.join(f'{t.lower()} {rows[0][t]}' for t in below)}."] if below else []
    if any("[" in row[s.title] for row in rows for s in shown):
        notes.append("Brackets hold 95 % intervals.")
    if any(s.metric == "latency_p99" for s in shown):
        notes.append("A percentile without enough samples is left out.")
    if any(row.get("CUDA peak, MB") and not row[ON_DEVICE] for row in rows):
        notes.append(
            "NVML did not tell the process’s own memory on the device: it counts processes by "
            "numbers of the host, which a container does not know."
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
    view: View, kind: str, shown: tuple[Shown, ...], *, with_run: bool
) -> list[dict[str, str]]:
    plan = view.plan.assign(measure=view.measures)
    plan = plan[plan["measure"] == kind]
    recorded = view.run.cases.set_index("case").to_dict("index")
    columns = {(s.of, s.metric): _cells(view, s) for s in shown}
    samples = view.values("latency").set_index("case")["n"].to_dict()
    rows = []
    for case in each(plan):
        row = _identity(case, view.run.id if with_run else "")
        row |= {s.title: columns[s.of, s.metric].get(case.case, "") for s in shown}
        row |= _ending(recorded.get(case.case) or {}, samples.get(case.case))
        if case.case in view.noisy:
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
        "Dtype": str(case.dtype),
        "Attention": str(case.attention),
        "Backend": str(case.backend),
        "Compile": str(case.compile),
        "Head": str(case.head),
        "Cache": str(case.cache),
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
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and name.endswith(" bytes"):
        return quantity(float(value), "B")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_plain("", v) for v in value) or "none"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


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
