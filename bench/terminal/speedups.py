"""The table of variants and threads: how many times as fast each is as its reference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console

from bench.stats.intervals import Interval
from bench.stats.relation import judge
from bench.stats.speedups import SpeedUp
from bench.terminal.layout import Row, columns, cut, say, say_line
from bench.wording.names import short
from bench.wording.numbers import plain, quantity
from bench.wording.sentences import speed_up
from bench.wording.verdicts import word


def show_speedups(out: Console, found: Sequence[SpeedUp]) -> None:
    """Print, by reference, model and workload, a line for each variant or number of threads."""
    for reference, group in groupby(found, key=lambda one: one.reference):
        held = list(group)
        extras = [name for name, _ in EXTRAS if any(getattr(one, name) is not None for one in held)]
        rows: list[Row] = []
        titles = set()
        for place, own in groupby(held, key=_place):
            rows.append((place,))
            titles.add(place)
            rows.extend(_row(one, extras) for one in own)
        say_line(out, "")
        say_line(out, f"Speed of a forward, times that of {reference}", "bold")
        for line in columns(rows, left=(3,)):
            say_line(out, cut(line, out.width), "bold" if line in titles else "")
        notes = [note for name, note in EXTRAS if name in extras]
        if notes:
            say(out, f"  {'; '.join(notes)}", "dim", indent="  ")


EXTRAS = (
    ("error", "err: relative error of the output"),
    ("compile_s", "compile: its first forward"),
    ("artifact", "file: the exported model"),
)
"""What some variants cost, and how the line below the table explains it."""


def _place(one: SpeedUp) -> str:
    device = "" if one.device == "cpu" else f" ({one.device})"
    return f"{short(one.model)}, {one.workload}{device}"


def _row(one: SpeedUp, extras: Sequence[str]) -> Row:
    verdict = word(judge(Interval(one.speed, one.low, one.high), one.processes), "faster", "slower")
    costs = []
    if "error" in extras and one.error is not None:
        costs.append(f"err {one.error:.0e}")
    if one.compile_s is not None:
        costs.append(f"compile {quantity(one.compile_s, 's')}")
    if one.artifact is not None:
        costs.append(f"file {quantity(one.artifact, 'B')}")
    first = (f"  {one.label}", plain(quantity(one.latency_s, "s")), plain(speed_up(one)))
    return (*first, plain(", ".join([verdict, *costs])))
