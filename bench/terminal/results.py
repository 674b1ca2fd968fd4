"""The table at the end of a run: what was counted, the time of a forward, and its memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bench.core.metrics import METRICS
from bench.stats.relation import judge_row, processes_of
from bench.terminal.layout import Row, columns, cut, say, say_line
from bench.wording.names import SHORT, short, short_names
from bench.wording.numbers import plain, plus_minus, quantity, ratio_text
from bench.wording.verdicts import FASTER, SLOWER, setting, word

if TYPE_CHECKING:
    import pandas as pd

MISSING = "-"
"""What stands for a value that there is not."""
SIDE_BY_SIDE = 2
"""More models than these stand below each other: a terminal is not wide enough for them."""
WORKLOAD = re.compile(r"(\d+) x (\w+)(.*)")
PAIRED = "Ratios are paired in time: they are not the quotient of the two medians."


@dataclass(frozen=True)
class Section:
    """A part of the table: its title and metrics, each with its label.

    `words` are the verdicts for a ratio above and below 1; `{}` in a label is the workload.
    """

    title: str
    metrics: dict[str, str]
    words: tuple[str, str] | None = None
    medians: bool = False


SECTIONS = (
    Section(
        "Counted",
        {
            "stored_parameters": "parameters stored",
            "applied_parameters": "parameters applied",
            "weight_bytes": "weights",
            "flops": "FLOPs {}",
            "peak_activation_bytes": "activations {}",
        },
    ),
    Section("Time of a forward", {"latency": "{}"}, (SLOWER, FASTER), medians=True),
    Section(
        "Peak memory of a forward, above the libraries", {"peak_rss_bytes": "{}"}, ("more", "less")
    ),
    Section(
        "Peak memory of a forward on the device",
        {"cuda_peak_allocated_bytes": "{}", "cuda_process_bytes": "{} process (NVML)"},
        ("more", "less"),
    ),
    Section("Largest batch that fits", {"largest_batch": "{}"}, ("larger", "smaller")),
    Section("Energy per sequence", {"energy_per_sequence": "{}"}, ("more", "less")),
    Section(
        "A text",
        {
            "throughput_words": "words {}",
            "tokenize_time": "tokenizing {}",
            "tokens_per_word": "tokens per word",
        },
        ("higher", "lower"),
    ),
    Section(
        "Start of a process",
        {
            "cold_start": "to the first output",
            "cold_import": "start and import",
            "cold_device": "set up the device",
            "cold_weights": "build and read weights",
            "first_forward": "first forward",
            "second_forward": "second forward",
        },
        (SLOWER, FASTER),
        medians=True,
    ),
)


@dataclass
class _Part:
    """A section's rows of one device and variant."""

    title: str
    rows: list[tuple[str, dict[str, Row]]] = field(default_factory=list)
    """By row its label, and by model value, ratio and verdict."""


def show_results(out: Console, summary: pd.DataFrame, ratios: pd.DataFrame) -> None:
    """Print the results of a run: a row per workload, every model, its ratio, and the verdict."""
    models = [str(m) for m in summary["model"].unique()]
    parts = list(_parts(summary, ratios))
    lines = _lines(parts, models, ratios, out.width)
    titles = {part.title for part in parts}
    for line in lines:
        bold = line.strip() in titles or line is lines[0]
        if line.strip() in titles:
            say_line(out, "")
        say_line(out, line, "bold" if bold else "")
    if (ratios["metric"] == "latency").any():
        say_line(out, "")
        say(out, PAIRED, "dim")


def _lines(
    parts: Sequence[_Part], models: Sequence[str], ratios: pd.DataFrame, width: int
) -> list[str]:
    """The table in the first form that fits: side by side, without spreads, below each other."""
    if len(models) <= SIDE_BY_SIDE:
        for spreads in (True, False):
            lines = _side_by_side(parts, models, ratios, spreads=spreads)
            if max(map(len, lines)) <= width:
                return lines
    return _below_each_other(parts, models, ratios, width)


def _heads(models: Sequence[str], ratios: pd.DataFrame) -> tuple[str, ...]:
    """What the ratio is of, where there is one."""
    if ratios.empty:
        return ()
    reference = str(ratios["reference"].iloc[0])
    subject = f"{short(models[1])} " if len(models) == SIDE_BY_SIDE else ""
    return (f"{subject}/ {short(reference)}",)


def _side_by_side(
    parts: Sequence[_Part], models: Sequence[str], ratios: pd.DataFrame, *, spreads: bool
) -> list[str]:
    """The columns of one or two models beside each other."""
    names = [short(model) for model in models]
    rows: list[Row] = [("", *names, *_heads(models, ratios))]
    for part in parts:
        rows.append((part.title,))
        for label, cells in part.rows:
            values = [cells.get(model, (MISSING, "", ""))[0] for model in models]
            values = values if spreads else [value.partition(" ±")[0].rstrip() for value in values]
            rows.append((f"  {label}", *values, *cells.get(models[-1], ("", "", ""))[1:]))
    return columns(rows, left=(len(models) + 1, len(models) + 2))


def _below_each_other(
    parts: Sequence[_Part], models: Sequence[str], ratios: pd.DataFrame, width: int
) -> list[str]:
    """A line per model below each label, with its ratio to the reference."""

    def rows_of(names: dict[str, str]) -> list[Row]:
        rows: list[Row] = [("", "", *_heads((), ratios))]
        for part in parts:
            rows.append((part.title,))
            for label, cells in part.rows:
                rows.append((f"  {label}",))
                rows += [(f"    {names[m]}", *cells[m]) for m in models if m in cells]
        return rows

    names = {model: short(model) for model in models}
    lines = columns(rows_of(names), left=(2, 3))
    over = max(map(len, lines)) - width
    if over > 0:
        longest = max(8, max(len(plain(name)) for name in names.values()) - over - 2)
        names = {m: plain(n) for m, n in short_names(list(models), SHORT, longest).items()}
        lines = columns(rows_of(names), left=(2, 3))
    return [cut(line, width) for line in lines]


def _parts(summary: pd.DataFrame, ratios: pd.DataFrame) -> Iterator[_Part]:
    """Each section that has values, per device and variant."""
    found = {(row.case, row.metric): row for row in ratios.itertuples()}
    for section in (*SECTIONS, _others()):
        rows = summary[summary["metric"].isin(section.metrics)]
        held: dict[str, list[Any]] = {}
        for row in rows.itertuples():
            held.setdefault(setting(row), []).append(row)
        shown: list[tuple[str, dict[str, Row]]] = []
        for place, own in held.items():
            # What was counted depends on few axes: it stands once, whatever was run.
            new = [row for row in _rows(section, own, found) if row not in shown]
            shown += new if section.words is None else []
            if new:
                yield _Part(_title(section, place, own, found), new)


def _others() -> Section:
    """The metrics that are declared to have a row, and that no section knows."""
    known = {name for section in SECTIONS for name in section.metrics}
    labels = {
        name: f"{one.title} {{}}"
        for name, one in METRICS.items()
        if one.in_terminal and name not in known
    }
    return Section("Also measured", labels, ("more", "less"))


def _rows(
    section: Section, rows: Sequence[Any], ratios: dict[tuple[Any, Any], Any]
) -> list[tuple[str, dict[str, Row]]]:
    """A row per metric and workload; one that repeats another is left out."""
    groups: dict[tuple[int, str, int, int], list[Any]] = {}
    order = list(section.metrics)
    for row in rows:
        at = (order.index(row.metric), row.suite, row.batch_size, row.seq_len)
        groups.setdefault(at, []).append(row)
    found: list[tuple[str, dict[str, Row]]] = []
    for at, group in sorted(groups.items(), key=lambda g: (g[0][0], g[0][2], g[0][3])):
        first = group[0]
        label = section.metrics[first.metric].format(_workload(at[2], at[3]))
        cells = {
            str(row.model): _cells(section, row, ratios.get((row.case, row.metric)))
            for row in group
        }
        if (label, cells) in found:
            continue
        if any(label == known for known, _ in found):
            label += f" ({first.suite})"
        found.append((label, cells))
    return _aligned(found)


def _workload(batch_size: int, seq_len: int) -> str:
    """`1 x 128`: batch size and tokens."""
    return f"{batch_size} x {seq_len or 'text'}"


def _aligned(rows: list[tuple[str, dict[str, Row]]]) -> list[tuple[str, dict[str, Row]]]:
    """Labels that are workloads, with their numbers below each other."""
    parts = [WORKLOAD.fullmatch(label) for label, _ in rows]
    known = [part.groups() for part in parts if part is not None]
    if len(known) < len(rows):
        return rows
    batch, tokens = (max(len(part[i]) for part in known) for i in (0, 1))
    labels = [f"{a:>{batch}} x {b:>{tokens}}{rest}" for a, b, rest in known]
    return [(label, cells) for label, (_, cells) in zip(labels, rows, strict=True)]


def _cells(section: Section, row: Any, ratio: Any | None) -> Row:
    """Value with its spread, ratio with its interval, and verdict."""
    value, exact = plain(quantity(row.value, row.unit)), METRICS[row.metric].exact
    if not exact:
        value += f" {plus_minus(row.value, row.low, row.high)}".rjust(6)
    if ratio is None:
        return (value, "", "")
    words = None if exact else section.words
    verdict = "" if words is None else plain(word(judge_row(ratio), *words))
    return (value, plain(ratio_text(ratio)), verdict)


def _title(
    section: Section, place: str, rows: Sequence[Any], ratios: dict[tuple[Any, Any], Any]
) -> str:
    """The section's title with what holds for all of its rows."""
    compared = [ratios[row.case, row.metric] for row in rows if (row.case, row.metric) in ratios]
    numbers = sorted({processes_of(row) for row in compared})
    facts = [*([place.strip(" ()")] if place else []), *(["median"] if section.medians else [])]
    if numbers and section.words is not None:
        several = numbers[-1] > 1
        span = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
        facts.append(f"{span} process{'es' * several} each")
    return section.title + (f" ({'; '.join(facts)})" if facts else "")
