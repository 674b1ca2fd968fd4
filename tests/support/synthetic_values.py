"""Counted and read values of invented runs: plausible, and exact where the architecture says so."""

from __future__ import annotations

from typing import Any

from bench.core import flops as formulas
from bench.core.architecture import Architecture
from bench.core.axes import Dtype
from bench.core.case import Case
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.core.measures.text import TEXT
from suites.models import ALBERT_BASE

PARTS = {
    "bert": {"embeddings": 23_837_184, "encoder": 85_054_464, "pooler": 590_592},
    "albert": {
        "embeddings": 3_906_048,
        "mapping": 99_072,
        "encoder": 7_087_872,
        "pooler": 590_592,
    },
}
APPLIED_ENCODER = 85_054_464


def measurements(case: Case, arch: Architecture, processes: int) -> list[dict[str, Any]]:
    """Rows of measurements.csv for a case; timed cases have so many processes."""
    kind = {
        STATIC.name: _static,
        MEMORY.name: _memory,
        FORWARD.name: _disturbances,
        TEXT.name: _text,
    }[case.measure.name]
    ran = {STATIC.name: 1, MEMORY.name: 3}.get(case.measure.name, processes)
    rows = []
    for process in range(1, ran + 1):
        found = kind(case, arch, process)
        rows += [
            {
                "case": case.id,
                "process": process,
                "index": i,
                "of": len(found),
                "metric": name,
                "unit": unit,
                "value": value,
            }
            for i, (name, (unit, value)) in enumerate(found.items())
        ]
    return rows


Values = dict[str, tuple[str, float]]


def _parts(arch: Architecture) -> dict[str, int]:
    return PARTS.get(arch.model_type, PARTS["bert"])


def _static(case: Case, arch: Architecture, process: int) -> Values:
    del process
    parts = _parts(arch)
    applied = {**parts, "encoder": APPLIED_ENCODER}
    flops = formulas.forward_flops(arch, case.workload)
    stored = sum(parts.values())
    width = 4 if case.variant.dtype is Dtype.FLOAT32 else 2
    return {
        "trainable_parameters": ("1", stored),
        "stored_parameters": ("1", stored),
        **{f"stored_parameters.{k}": ("1", v) for k, v in parts.items()},
        "applied_parameters": ("1", sum(applied.values())),
        **{f"applied_parameters.{k}": ("1", v) for k, v in applied.items()},
        "weight_bytes": ("B", stored * width),
        f"weight_bytes.{case.variant.dtype}": ("B", stored * width),
        "operators": ("1", 573 if arch is ALBERT_BASE else 485),
        "flops": ("1", flops),
        "flops_counted": ("1", flops),
    }


def _memory(case: Case, arch: Architecture, process: int) -> Values:
    width = 4 if case.variant.dtype is Dtype.FLOAT32 else 2
    weights = sum(_parts(arch).values()) * width
    activations = formulas.peak_activation_bytes(arch, case.workload, width) or 0
    found: Values = {
        "load_time": ("s", weights / 4.2e8 * (1 + 0.05 * process)),
        "weight_bytes": ("B", weights),
        "peak_activation_bytes": ("B", activations),
    }
    if case.device == "cpu":
        loaded = weights * 1.01 + 5e6
        found["load_peak_rss_bytes"] = ("B", round(loaded))
        found["peak_rss_bytes"] = ("B", round(loaded + activations * 1.1 + 2e7 + process * 1e6))
    else:
        found["cuda_peak_allocated_bytes"] = ("B", weights + activations)
        found["cuda_peak_reserved_bytes"] = ("B", round((weights + activations) * 1.2))
    return found


def _disturbances(case: Case, arch: Architecture, process: int) -> Values:
    del case, arch
    return {
        "steal_time": ("s", 0.01 * process),
        "involuntary_switches": ("1", 90.0 * process),
        "major_page_faults": ("1", 0),
        "load_average": ("1", 1.1 + 0.1 * process),
    }


def _text(case: Case, arch: Architecture, process: int) -> Values:
    return {
        **_disturbances(case, arch, process),
        "throughput_words": ("1/s", 300.0 + process),
        "throughput_tokens": ("1/s", 400.0 + process),
        "tokens_per_word": ("1", 1.33),
        "tokenize_time": ("s", 0.001),
        "padding_share": ("1", 0.12),
    }
