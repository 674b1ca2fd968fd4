"""The tables of a run as text: their columns, and the strict CSV they are written in and read from.

A number is digits with a point, the way it is written here. What another program may have made of
one (`1,234`, `1.2E-04`, `12. May`) is refused with its line, so that no number is ever read as
another. Words that a spreadsheet would take for a formula are written with an apostrophe in front.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.core.axes import AXES, AXIS_NAMES
from bench.machine.gpu import COLUMNS as GPU

RENAMED: Mapping[str, Mapping[str, str]] = {
    "column": {"repeat": "process", "repeats": "processes", "disturbed": "invalid"},
    "metric": {"noise": "iqr_over_median"},
    "phase": {"disturbed": "invalid"},
}
"""Columns of earlier versions, and words in a column of that name: what they are called now."""

IDENTITY = {
    "suite": "str",
    "model": "str",
    "weights": "str",
    "device": "str",
    **dict.fromkeys(AXIS_NAMES, "str"),
    "threads": "int",
    "batch_size": "int",
    "seq_len": "int",
}
"""The columns that say which case a row is about; the same in every file made for people."""

ABSENT: Mapping[str, str] = {axis.name: str(axis.default) for axis in AXES}
"""What a row says of an axis that its version of bench did not know: that it is at its default."""
NEWER: Mapping[str, Mapping[str, int]] = {"summary": {"processes": 0}}
"""Columns that tables have not had from the start, and what stands in those of older runs. Any
other missing column is a fault of the file."""

CASES = {
    "case": "str",
    **IDENTITY,
    "measure": "str",
    "source": "str",
    "revision": "str",
    "checkpoint_bytes": "float",
    "checkpoint_sha256": "str",
    "status": "str",
    "reason": "str",
    "processes": "int",
    "stop": "str",
    "finished": "str",
}
PLACE = {"process": "int", "index": "int", "of": "int"}
BATCH = {"case": "str", **PLACE}
SAMPLE = {
    "phase": "str",
    "round": "int",
    "at_s": "seconds",
    "wall_s": "seconds",
    "cpu_s": "seconds",
    "host_s": "float",
}
SAMPLES = {**BATCH, **SAMPLE}
GEMM = {"group": "str", **PLACE, **SAMPLE}
"""Every reference GEMM timed in the rounds of a group, to compare its forwards with."""
MEASUREMENTS = {**BATCH, "metric": "str", "unit": "str", "value": "float"}
ROUNDS = {
    "group": "str",
    **PLACE,
    "round": "int",
    "invalid": "str",
    "wall_s": "float",
    "steal_s": "float",
    "involuntary_switches": "float",
    "minor_faults": "float",
    "major_faults": "float",
    "cpu_hz": "float",
    "throttled": "float",
    "load_average": "float",
    **GPU,
}
INTERVAL = {"low": "float", "high": "float"}
SUMMARY = {
    **IDENTITY,
    "metric": "str",
    "unit": "str",
    "value": "float",
    **INTERVAL,
    "n": "int",
    "processes": "int",
    "case": "str",
}
RATIOS = {
    "suite": "str",
    "model": "str",
    "reference": "str",
    **{k: v for k, v in IDENTITY.items() if k not in ("suite", "model")},
    "metric": "str",
    "ratio": "float",
    **INTERVAL,
    "rounds": "int",
    "processes": "int",
    "case": "str",
}
TURNS = {
    "case": "str",
    "pair": "int",
    "side": "str",
    "phase": "str",
    "round": "int",
    "wall_s": "float",
    "cpu_s": "float",
}
"""Every forward of the paired gate, as both sides took turns."""
PAIRS = {
    "case": "str",
    "pair": "int",
    "stage": "str",
    "wall_log_ratio": "float",
    "cpu_log_ratio": "float",
    "rounds": "int",
    "baseline_mean_s": "float",
    "candidate_mean_s": "float",
}
"""One process pair's log-ratios of a case, and what a mean of all its forwards would say."""
TABLES = {
    "cases": CASES,
    "samples": SAMPLES,
    "measurements": MEASUREMENTS,
    "rounds": ROUNDS,
    "gemm": GEMM,
    "summary": SUMMARY,
    "ratios": RATIOS,
    "turns": TURNS,
    "pairs": PAIRS,
}
BATCHED = ("samples", "measurements", "rounds", "gemm")
"""Tables whose rows come in batches, each of which says in every row how long it is."""
RAW = ("cases", *BATCHED)
"""Appended while a run goes on; `summary` and `ratios` are computed from these."""
