"""The sentences about results: what the numbers say, as far as their intervals allow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote
from typing import Any

import pandas as pd

from bench.core.axes import AXES, AXIS_NAMES, Compile
from bench.core.english import several
from bench.core.metrics import LARGEST
from bench.stats.relation import Relation, judge_row
from bench.stats.speedups import SpeedUp, best, compares_models
from bench.wording.names import SHORT, short
from bench.wording.numbers import NBSP, count, fewer, interval_of, ratio_of, ratio_text, span, times
from bench.wording.verdicts import USUAL_DEVICE, Speeds, change, place_of, setting, workload_of

LAUNCH_BOUND = 0.8
"""A host busy for this share of a forward's time leaves the device waiting for it."""
GRAPHS = (Compile.REDUCE_OVERHEAD.value, Compile.MAX_AUTOTUNE.value)
"""Compilations that make CUDA graphs, which a host launches as one."""
PEAKS = ("peak_rss_bytes", "cuda_peak_allocated_bytes")
"""What a forward needed at most, on the CPU and on CUDA."""
PROCESSES_OPTION = "--processes"
"""The option of `bench run` for the number of processes."""
START_S = 10.0
"""Seconds to start a process, import the libraries and load two models."""
MINUTE = 60.0
MOST_PROCESSES = 50
"""More are not worth advising: a quieter machine does more."""


@dataclass(frozen=True)
class Advice:
    """What it would take to know more, and the command that does it."""

    text: str
    command: str

    def __str__(self) -> str:
        return f"{self.text}: {self.command}"


def answer(ratios: pd.DataFrame) -> list[str]:
    """The answer of a run: statements of its ratios (columns of RATIOS), most important first."""
    found: list[str] = []
    ratios = compares_models(ratios)
    for (model, reference), rows in ratios.groupby(["model", "reference"], sort=False):
        subject, other = short(str(model)), short(str(reference))
        found.extend(_size_and_speed(rows, subject, other))
        found.extend(_memory(rows, subject, other))
        found.extend(_one_by_one(rows, subject, other))
    return found


def stored_parameters(ratio: float, other: str) -> str:
    """`9.37x fewer parameters than BERT`, or `as many parameters as BERT`."""
    words = fewer(ratio)
    if words == "equally many":
        return f"as many parameters as {other}"
    return f"{words} parameters than {other}"


def applied_parameters(ratio: float) -> str:
    """`as many in its encoder`, or `2.5x more in its encoder`."""
    return f"{fewer(ratio).replace('equally many', 'as many')} in its encoder"


def _size_and_speed(rows: pd.DataFrame, subject: str, other: str) -> Iterator[str]:
    """Sizes and the speed of the usual variant in one sentence; each other variant in its own."""
    stored, applied = (_one(rows, f"{kind}_parameters{part}") for kind, part in SIZES)
    clauses = [] if stored is None else [f"stores {stored_parameters(stored, other)}"]
    if clauses and applied is not None:
        clauses.append(f"applies {applied_parameters(applied)}")
    timed = rows[rows["metric"] == "latency"].sort_values(["batch_size", "seq_len"])
    held = [(where, Speeds.of(group)) for where, group in _by_setting(timed)]
    if held and not held[0][0]:
        clauses.append(held.pop(0)[1].predicate(other))
    if clauses:
        *first, last = clauses
        joint = ", and " if len(first) > 1 else " and "
        yield f"{subject} {', '.join(first)}{joint if first else ''}{last}."
    for where, speeds in held:
        yield f"With {where.strip(' ()')}, {subject} {speeds.predicate(other)}."


SIZES = (("stored", ""), ("applied", ".encoder"))


def _by_setting(rows: pd.DataFrame) -> Iterator[tuple[str, list[Any]]]:
    """The rows of each device and variant, the usual one first."""
    held: dict[str, list[Any]] = {}
    for row in rows.itertuples():
        held.setdefault(setting(row), []).append(row)
    yield from sorted(held.items(), key=lambda item: bool(item[0]))


def _memory(rows: pd.DataFrame, subject: str, other: str) -> Iterator[str]:
    """How much memory a forward needs; over several workloads from the least to the most."""
    for metric in PEAKS:
        for where, held in _by_setting(rows[rows["metric"] == metric]):
            held.sort(key=lambda row: row.ratio)
            judged = [judge_row(row) for row in held]
            if all(one.is_decided or one.relation is Relation.EQUAL for one in judged):
                from_to = span([times(*interval_of(row)) for row in held])
                yield f"It needs {from_to} the memory of {other} for a forward{where}."
                continue
            for row in sorted(held, key=lambda row: (row.batch_size, row.seq_len)):
                yield (
                    f"At {place_of(row)} {subject} needs {ratio_text(row)} the memory of {other}: "
                    f"{change(row, 'more', 'less')}."
                )


def _one_by_one(rows: pd.DataFrame, subject: str, other: str) -> Iterator[str]:
    """What is reported of each case by itself: largest batches and cold starts."""
    for row in rows[rows["metric"] == LARGEST].sort_values("seq_len").itertuples():
        yield (
            f"At {row.seq_len} tokens{setting(row)} the largest batch that fits is "
            f"{times(*interval_of(row))} as large with {subject} as with {other}."
        )
    for row in rows[rows["metric"] == "cold_start"].itertuples():
        yield (
            f"From process start to first output{setting(row)} {subject} takes {ratio_text(row)} "
            f"as long as {other}: {change(row)}."
        )


def to_know_more(ratios: pd.DataFrame, summary: pd.DataFrame) -> Advice | None:
    """What it would take to judge what is not known: processes, minutes, and the command.

    One advice for all such workloads, by the one that needs most.
    """
    timed = compares_models(ratios[ratios["metric"] == "latency"])
    judged = [(row, judge_row(row)) for row in timed.itertuples()]
    unknown = [(row, one) for row, one in judged if one.relation is Relation.NOT_KNOWN]
    needed = [one.processes_needed for _, one in unknown]
    if not unknown:
        return None
    where = several(dict.fromkeys(place_of(row) for row, _ in unknown[:2]))
    if len({place_of(row) for row, _ in unknown}) > 2:
        where = f"{len(unknown)} workloads"
    known = [n for n in needed if n is not None]
    if not known or max(known) > MOST_PROCESSES:
        more = f"more than {MOST_PROCESSES} processes" if known else "more processes"
        return Advice(f"To know at {where} takes {more}, or a quieter machine", "bench doctor")
    processes = max(known)
    rows = [row for row, _ in unknown]
    if len({(row.batch_size, row.seq_len) for row in rows}) > 1:  # the command runs whole suites
        suites = {row.suite for row in rows}
        rows = [row for row, _ in judged if row.suite in suites]
    text = f"To know at {where} takes about {processes} processes"
    return Advice(f"{text} ({_minutes(rows, processes, summary)})", _command(rows, processes))


def _minutes(rows: list[Any], processes: int, summary: pd.DataFrame) -> str:
    """How long so many processes take, from how long those of this run sampled."""
    latency = summary[summary["metric"] == "latency"]
    seconds = 0.0
    for row in {(row.suite, place_of(row)): row for row in rows}.values():
        same = latency[[setting(r) == setting(row) for r in latency.itertuples()]]
        same = same[(same["batch_size"] == row.batch_size) & (same["seq_len"] == row.seq_len)]
        sampled = float((same["value"] * same["n"]).sum()) / max(judge_row(row).processes, 1)
        seconds += processes * (START_S + sampled)
    return count(max(1, math.ceil(seconds / MINUTE)), "minute")


def _command(rows: list[Any], processes: int) -> str:
    """The command that measures these workloads again, in so many processes."""
    words = ["bench", "run", *dict.fromkeys(str(row.suite) for row in rows)]
    models = dict.fromkeys(m for row in rows for m in (row.reference, row.model))
    if list(models) != list(SHORT)[:2]:
        words += [part for model in models for part in ("--model", str(model))]
    sizes = {(row.batch_size, row.seq_len) for row in rows}
    if len(sizes) == 1:
        batch_size, seq_len = sizes.pop()
        words += ["--batch-size", str(batch_size)]
        words += ["--seq-len", str(seq_len)] if seq_len else []
    usual = {"device": USUAL_DEVICE, **{axis.name: str(axis.default) for axis in AXES}}
    for name, default in usual.items():
        values = dict.fromkeys(str(getattr(row, name)) for row in rows)
        words += [part for v in values if v != default for part in (f"--{name}", v)]
    return " ".join(map(quote, [*words, PROCESSES_OPTION, str(processes)]))


def speed_up(one: SpeedUp) -> str:
    """How many times as fast as its reference, `1.42x [1.38, 1.46]`."""
    return ratio_of(one.speed, one.low, one.high)


def speed_up_sentences(found: list[SpeedUp]) -> list[str]:
    """The fastest variant of each workload and what more threads bring, one sentence each."""
    said = []
    for one in best(found):
        name = short(one.model)
        if one.threads_compared:
            text = (
                f"At {one.workload}{setting(one)} {name} runs {speed_up(one)} as fast on "
                f"{one.label} as on {one.reference}: {100 * one.efficiency:.0f}{NBSP}% of a "
                "perfect speed-up"
            )
        else:
            text = (
                f"At {one.workload}{setting(one)} {name} runs fastest as {one.label}: "
                f"{speed_up(one)} as fast as {one.reference}"
            )
            if one.error is not None:
                text += f", with a relative error of {one.error:.1g}"
        said.append(f"{text}.")
    return said


def launch_bound(summary: pd.DataFrame) -> list[str]:
    """Of each variant on a device of its own, where the host's launches are what takes the time."""
    timed = summary[summary["metric"].isin(("host_time", "latency"))]
    wide = timed.pivot_table(index="case", columns="metric", values="value")
    if "host_time" not in wide:
        return []
    bound = wide.index[wide["host_time"] >= LAUNCH_BOUND * wide["latency"]]
    found = timed[timed["case"].isin(bound) & (timed["metric"] == "latency")]
    return [
        _bound_by_launches(rows)
        for _, rows in found.groupby(["model", "device", *AXIS_NAMES], sort=False)
    ]


def _bound_by_launches(rows: pd.DataFrame) -> str:
    """The sentence for the cases of one model and variant."""
    first: Any = next(rows.itertuples())
    # A workload of the `variants` suite may stand in another suite as well.
    where = "; ".join(dict.fromkeys(workload_of(row) for row in rows.itertuples()))
    graphs = "" if first.compile in GRAPHS else ", or CUDA graphs (--compile reduce-overhead),"
    return (
        f"{short(str(first.model))}{setting(first)} is bound by launches at {where}: giving the "
        "device its work takes the host as long as the device takes to do it. Larger batches"
        f"{graphs} use the device better."
    )


def _one(rows: pd.DataFrame, name: str) -> float | None:
    values = rows.loc[rows["metric"] == name, "ratio"]
    return None if values.empty else float(values.iloc[0])
