"""`bench list`: what a run would do, a line per workload, and what it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console

from bench.core.case import Case, Compares
from bench.core.english import counted
from bench.plan.estimate import Estimate
from bench.terminal.layout import Row, columns, cut, say, say_line


def show_plan(out: Console, cases: Sequence[Case], cost: Estimate) -> None:
    """Print what a run would do: the models, a row per workload, and what it takes."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    of_all = _models(cases)
    rows: list[Row] = [("suite", "device", "variant", "batch x tokens", "models")]
    for group in groups.values():
        first, models = group[0], _models(group)
        size = f"{first.workload.batch_size} x {first.workload.seq_len or 'text':>4}"
        others = "all" if models == of_all else ", ".join(models)
        rows.append((first.suite, first.device, _variants(group), size, others))
    if all(row[-1] == "all" for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    heading, *lines = columns(rows, left=(1, 2, 4))
    say(out, f"models: {', '.join(of_all)}", indent="  ")
    say_line(out, cut(heading, out.width), "bold")
    for line in lines:
        say_line(out, cut(line, out.width))
    size = f"{counted(len(cases), 'case')} in {counted(cost.processes, 'worker process', 'es')}"
    minutes = counted(max(1, math.ceil(cost.seconds / 60)), "minute")
    say(out, f"{size}, at most about {minutes} (less where precision is reached early)")


def _models(cases: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(case.model for case in cases))


def _variants(group: Sequence[Case]) -> str:
    """The variant of a group, or how many variants or threads are compared in it."""
    first = group[0]
    if first.compares is Compares.VARIANTS:
        return f"{len(group)} variants"
    if first.compares is Compares.THREADS:
        return f"{', '.join(str(c.threads) for c in group)} threads"
    return str(first.variant)
