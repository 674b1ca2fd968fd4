"""The terminal: progress while a run goes on, and its table and answer at the end."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bench.core.axes import Variant
from bench.core.case import Case, Compares, Sampling, Status, Workload
from bench.core.english import counted
from bench.plan.options import Estimate, repeats_of
from bench.results.schema import IDENTITY
from bench.runner.capacity_search import LARGEST
from bench.runner.signals import fall_silent

if TYPE_CHECKING:
    import pandas as pd
    from rich.progress import Progress, TaskID

    from bench.stats.speedups import Gain


class Listener(StringIO):
    """Standard output, until nobody reads it any more: a run does not end for want of readers."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.stream = sys.stdout  # a live bar puts itself into the place of sys.stdout

    def write(self, text: str) -> int:
        """Write now; words that nobody can read are dropped."""
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            fall_silent()
        return len(text)

    def isatty(self) -> bool:
        """Whether a person looks on."""
        return self.stream.isatty()


def console() -> Console:
    """The terminal, or whatever stands in for one (then 120 columns and no colours)."""
    found = Console(file=Listener(), highlight=False, soft_wrap=False)
    return found if found.is_terminal else Console(file=Listener(), highlight=False, width=120)


def describe(case: Case) -> str:
    """A workload in a few words."""
    usual = case.variant == Variant() and case.compares is Compares.MODELS
    compared = case.compares is Compares.THREADS
    threads = counted(case.threads, "thread") if compared else ""
    return _place(case.suite, case.workload, case.device, "" if usual else case.variant, threads)


def _place(suite: str, workload: Workload | str, device: str, *special: Variant | str) -> str:
    """`latency: batch 1, 32 tokens (cpu, float32 eager)`."""
    return f"{suite}: {workload} ({', '.join([device, *map(str, filter(None, special))])})"


@dataclass
class TerminalDisplay:
    """A live bar on a terminal; elsewhere one plain line per case, when it has ended."""

    console: Console = field(default_factory=console)
    _progress: Progress | None = None
    _task: TaskID | None = None
    _sampling: Sampling = field(default_factory=Sampling)
    _total: int = 0
    _done: int = 0

    def start(self, cases: Sequence[Case], sampling: Sampling) -> None:
        """See Display."""
        self._sampling, self._total = sampling, len(cases)
        if not self.console.is_terminal:
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.fields[cases]}"),
            BarColumn(bar_width=24),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.description}"),
            console=self.console,
            transient=True,
        )
        steps = sum(repeats_of(c.measure, sampling) for c in cases)
        self._task = self._progress.add_task("starting", total=steps, cases=self._count())
        self._progress.start()

    def begin(self, cases: Sequence[Case], repeat: int) -> None:
        """See Display."""
        if self._progress is None or self._task is None:
            return
        names = " / ".join(dict.fromkeys(c.model for c in cases))
        text = f"{describe(cases[0])}, repeat {repeat}: {names}"
        self._progress.update(self._task, description=text)

    def advance(self, case: Case) -> None:
        """See Display."""
        del case
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)

    def finish(self, case: Case, status: Status, reason: str) -> None:
        """See Display."""
        self._done += 1
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, cases=self._count())
        ending = "" if status is Status.OK else f": {status.value}: {reason}"
        if self._progress is None or status is not Status.OK:
            text = f"[{self._done}/{self._total}] {describe(case)}, {case.model}{ending}"
            self.console.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """See Display."""
        self.console.print(f"note: {text}", markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _count(self) -> str:
        return f"{self._done}/{self._total} cases"


SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")),
    "1": ((1e9, "G"), (1e6, "M"), (1e3, "k")),
    "1/s": ((1.0, "/s"),),
    "J": ((1.0, "J"), (1e-3, "mJ")),
}
"""Per unit: (size, name) of the scales that values are printed in, largest first."""

ROUNDS_UP = 0.9995
"""From here on three significant figures read 1.00: 999.6 ms is shown as 1.00 s."""

SHOWN = (
    "stored_parameters",
    "applied_parameters",
    "flops",
    "weight_bytes",
    "latency",
    "throughput_sequences",
    "energy_per_sequence",
    "throughput_words",
    "tokenize_time",
    "tokens_per_word",
    "peak_activation_bytes",
    "peak_rss_bytes",
    "cuda_peak_allocated_bytes",
    "cuda_process_bytes",
    "largest_batch",
    "load_time",
    "cold_start",
    "cold_import",
    "cold_device",
    "cold_weights",
    "first_forward",
    "second_forward",
)
"""Metrics in the table at the end of a run; all others are in summary.csv."""


def quantity(value: float, unit: str) -> str:
    """A value with three significant figures, scaled to a readable unit."""
    scales = SCALES[unit]
    size, name = next((s for s in scales if abs(value) >= ROUNDS_UP * s[0]), scales[-1])
    if unit == "1" and abs(value) < 1e3:
        return f"{value:g}"
    scaled = value / size
    digits = max(0, 2 - math.floor(math.log10(abs(scaled) / ROUNDS_UP))) if scaled else 0
    return f"{scaled:.{digits}f} {name}".replace(" /s", "/s")


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
    from bench.core.metrics import METRICS
    from bench.stats.noise_causes import noisy
    from bench.stats.summary import variant_of
    from bench.wording.sentences import interval

    where = [c for c in IDENTITY if c not in ("model", "weights")] + ["metric"]
    shown = summary[summary["metric"].isin(SHOWN)]
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
        place = _place(one.suite, workload, one.device, "" if variant == Variant() else variant)
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
            "latency": [quantity(gain.latency_s, "s") for gain in gains],
            "speed": [speed_text(gain) for gain in gains],
            "error": ["" if g.error is None else f"{g.error:.1g}" for g in gains],
            "compile": ["" if g.compile_s is None else quantity(g.compile_s, "s") for g in gains],
            "file": ["" if g.artifact is None else quantity(g.artifact, "B") for g in gains],
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
    text = quantity(row["value"], row["unit"])
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
