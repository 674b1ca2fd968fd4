"""The terminal: progress while a run goes on, and its table and answer at the end."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bench.core.axes import Variant
from bench.core.case import Case, Compares, Workload
from bench.core.english import counted
from bench.core.metrics import LARGEST, METRICS
from bench.plan.estimate import Estimate
from bench.results.schema import IDENTITY
from bench.terminal.progress import place_name
from bench.wording.numbers import scaled

if TYPE_CHECKING:
    import pandas as pd

    from bench.stats.speedups import Gain


MISSING = "-"
"""What stands for a value that there is not."""
SIDE_BY_SIDE = 2
"""More models than these stand below each other: a terminal is not wide enough for their names."""
GAP = 2
"""Blanks between two columns, and before a metric below the workload that it belongs to."""
NARROWEST = 16
"""A metric's title, or a model's name below it, is folded to this width, not further."""

Row = tuple[str, ...]


def show_results(out: Console, summary: pd.DataFrame, ratios: pd.DataFrame) -> None:
    """Print the results of a run: by workload each shown metric, every model, and its ratio."""
    models = list(summary["model"].unique())
    reference = "" if ratios.empty else str(ratios["reference"].iloc[0])
    compared = [m for m in models if m in set(ratios["model"])]
    wide = len(models) <= SIDE_BY_SIDE
    if wide:
        heads: Row = ("", *models, *("ratio" for _ in compared))
    else:
        heads = ("", "value", *((f"/ {reference}",) if compared else ()))
    groups: dict[str, list[Row]] = {}
    for place, title, values, told in _results(summary, ratios, models):
        rows = groups.setdefault(place, [])
        if wide:
            rows.append((title, *values.values(), *(told[name] for name in compared)))
            continue
        rows.append((title, *("" for _ in heads[1:])))
        for name, value in values.items():
            if value != MISSING:
                rows.append((f"  {name}", value, *([told[name]] if compared else ())))
    _print_groups(out, heads, groups)
    weights = " and ".join(summary["weights"].unique())
    against = f"; ratios are {compared[0]} / {reference}" if wide and compared else ""
    out.print(f"medians and 95 % intervals; {weights} weights{against}", style="dim")


def _print_groups(out: Console, heads: Row, groups: Mapping[str, Sequence[Row]]) -> None:
    """Print tables of the same columns below their headings; the first column is what folds."""
    from rich.table import Table

    rows = [heads, *(row for group in groups.values() for row in group)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    left = out.width - sum(widths[1:]) - GAP * len(widths)
    widths[0] = min(widths[0], max(NARROWEST, left))
    for place, group in (("", [heads]), *groups.items()):
        table = Table(
            box=None, show_header=False, padding=(0, 0, 0, GAP), style="" if place else "bold"
        )
        for i, width in enumerate(widths):
            table.add_column(width=width, justify="right" if i else "left", overflow="fold")
        for row in group:
            table.add_row(*row)
        if place:
            out.print(place, style="bold", markup=False)
        out.print(table)


def _results(
    summary: pd.DataFrame, ratios: pd.DataFrame, models: Sequence[str]
) -> Iterator[tuple[str, str, dict[str, str], dict[str, str]]]:
    """Per workload and shown metric: the workload, the title, and by model its value and ratio."""
    from bench.stats.ratios import variant_of
    from bench.stats.summary import noisy
    from bench.wording.sentences import interval

    where = [c for c in IDENTITY if c not in ("model", "weights")] + ["metric"]
    rows_of = {name for name, one in METRICS.items() if one.in_terminal}
    shown = summary[summary["metric"].isin(rows_of)]
    found = {tuple(key): rows for key, rows in ratios.groupby(where)}
    loud = set(noisy(summary)["case"])
    searches = set(summary.loc[summary["metric"] == LARGEST, "suite"])
    for key, rows in shown.groupby(where, sort=False):
        by_model = rows.set_index("model")
        matching = found.get(tuple(key))
        ratio_of = {} if matching is None else {r.model: interval(r) for r in matching.itertuples()}
        one: Any = next(rows.itertuples())
        whole = Workload(one.batch_size, one.seq_len)
        workload = f"{one.seq_len} tokens" if one.suite in searches else whole
        variant = variant_of(one)
        place = place_name(one.suite, workload, one.device, "" if variant == Variant() else variant)
        values = {name: _cell(by_model, name, loud) for name in models}
        yield place, METRICS[one.metric].title, values, {n: ratio_of.get(n, "") for n in models}


def _variants_of(group: Sequence[Case]) -> str:
    """The variant of a group, or how many variants or threads are compared in it."""
    first = group[0]
    if first.compares is Compares.VARIANTS:
        return f"{len(group)} variants"
    if first.compares is Compares.THREADS:
        return f"{', '.join(str(c.threads) for c in group)} threads"
    return str(first.variant)


def show_gains(out: Console, found: Sequence[Gain]) -> None:
    """Print what variants and threads gain over their reference, and what they cost."""
    from rich.table import Table

    from bench.stats.speedups import speed_text
    from bench.wording.sentences import short

    for reference, group in groupby(found, key=lambda gain: gain.reference):
        gains = list(group)
        columns = {
            "model": [short(gain.model) for gain in gains],
            "batch": [str(gain.workload.batch_size) for gain in gains],
            "tokens": [str(gain.workload.seq_len) for gain in gains],
            "latency": [scaled(gain.latency_s, "s") for gain in gains],
            "speed": [speed_text(gain) for gain in gains],
            "error": ["" if g.error is None else f"{g.error:.1g}" for g in gains],
            "compile": ["" if g.compile_s is None else scaled(g.compile_s, "s") for g in gains],
            "file": ["" if g.artifact is None else scaled(g.artifact, "B") for g in gains],
        }
        columns = {name: texts for name, texts in columns.items() if any(texts)}
        title = f"speed against {reference}"
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        table.add_column("run as", overflow="fold")
        for name in columns:
            table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
        for gain, *texts in zip(gains, *columns.values(), strict=True):
            table.add_row(gain.label, *texts)
        out.print(table)


def _cell(rows: pd.DataFrame, model: str, loud: Collection[str]) -> str:
    """A value with its spread; a latency of one of the `loud` cases is marked noisy."""
    if model not in rows.index:
        return MISSING
    row: Any = rows.loc[model]
    text = scaled(row["value"], row["unit"])
    if not (math.isnan(row["low"]) or math.isnan(row["high"])):
        half = max(row["high"] - row["value"], row["value"] - row["low"]) / abs(row["value"])
        text += " ±>100%" if half >= 1 else f" ±{half:.0%}" if half >= 0.01 else f" ±{half:.1%}"
    return f"{text} noisy" if row["metric"] == "latency" and row["case"] in loud else text


def show_plan(out: Console, cases: Sequence[Case], cost: Estimate) -> None:
    """Print what a run would do: a row per workload, and what it takes."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("suite", "device", "variant", "batch", "tokens", "models"):
        table.add_column(name, justify="right" if name in ("batch", "tokens") else "left")
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    for group in groups.values():
        first = group[0]
        table.add_row(
            first.suite,
            first.device,
            _variants_of(group),
            str(first.workload.batch_size),
            str(first.workload.seq_len or "text"),
            ", ".join(dict.fromkeys(c.model for c in group)),
        )
    out.print(table)
    size = f"{counted(len(cases), 'case')} in {counted(cost.processes, 'worker process', 'es')}"
    minutes = counted(max(1, math.ceil(cost.seconds / 60)), "minute")
    out.print(f"{size}, at most about {minutes} (less where precision is reached early)")
