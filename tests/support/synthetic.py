"""Runs made of invented but plausible numbers, written through records: any size, any trouble."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.core import flops as formulas
from bench.core.architecture import Architecture, Model
from bench.core.axes import Dtype, Variant
from bench.core.case import TIMED, Case, Measure, Workload
from bench.results import store as records
from suites.models import ALBERT_BASE, BERT_BASE, MODELS

BERT, ALBERT = MODELS[:2]
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
SUITES = {
    "parameters": (Measure.STATIC, ((1, 128), (1, 512))),
    "memory": (Measure.MEMORY, ((1, 128), (8, 128), (8, 512), (32, 512))),
    "latency": (Measure.FORWARD, tuple((1, s) for s in (16, 32, 64, 128, 256, 512))),
    "throughput": (Measure.FORWARD, tuple((b, 128) for b in (2, 4, 8, 16, 32))),
}


@dataclass(frozen=True)
class Plan:
    """What an invented run holds; every default is that of a clean run of both models."""

    models: Sequence[Model] = (BERT, ALBERT)
    suites: Mapping[str, tuple[Measure, Sequence[tuple[int, int]]]] = field(
        default_factory=lambda: SUITES
    )
    variants: Sequence[Variant] = (Variant(),)
    devices: Sequence[str] = ("cpu",)
    threads: int = 2
    repeats: int = 5
    rounds: int = 10
    block: int = 2
    slowdown: float = 0.02
    noise: float = 0.01
    weights: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unfinished: Sequence[str] = ()
    state: str = "complete"
    started: str = "2026-11-24T03:33:56Z"
    cpu: str = "AMD EPYC 7763"
    seed: int = 0

    def cases(self) -> list[Case]:
        """All cases, workload by workload."""
        return [
            Case(suite, measure, model.name, variant, Workload(b, s), device, self.threads)
            for device in self.devices
            for variant in self.variants
            for suite, (measure, workloads) in self.suites.items()
            for b, s in workloads
            for model in self.models
        ]


def write_run(directory: Path, plan: Plan | None = None) -> Path:
    """Write the run to `directory` (made here, named as the run) and return it."""
    plan = plan or Plan()
    writer = records.open_run(directory)
    cases = plan.cases()
    kept = [c for c in cases if c.id not in {*plan.unfinished, *plan.failed}]
    tables = {
        "cases": [_case_row(plan, c) for c in cases if c.id not in plan.unfinished],
        "samples": _samples(plan, [c for c in kept if c.measure in TIMED]),
        "measurements": [row for c in kept for row in _measurements(plan, c)],
    }
    for name, rows in tables.items():
        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
        if len(frame):
            writer.write_table(name, frame)
    writer.write_environment(_environment(plan, directory.name, cases))
    writer.close()
    return directory


def _weights(plan: Plan, model: str) -> str:
    return plan.weights.get(model, "random")


def _identity(plan: Plan, case: Case) -> dict[str, Any]:
    return {
        "case": case.id,
        "suite": case.suite,
        "model": case.model,
        "weights": _weights(plan, case.model),
        "device": case.device,
        **case.variant.columns,
        "threads": case.threads,
        "batch_size": case.workload.batch_size,
        "seq_len": case.workload.seq_len,
    }


def _case_row(plan: Plan, case: Case) -> dict[str, Any]:
    status, reason = plan.failed.get(case.id, ("ok", ""))
    timed = case.measure in TIMED and status == "ok"
    return {
        **_identity(plan, case),
        "measure": case.measure.value,
        "source": next(m.source for m in plan.models if m.name == case.model),
        "revision": "",
        "checkpoint_bytes": None,
        "checkpoint_sha256": "",
        "status": status,
        "reason": reason,
        "processes": plan.repeats if status == "ok" else 0,
        "stop": ("precision" if case.workload.tokens < 512 else "budget") if timed else "",
        "finished": plan.started,
    }


def _architecture(plan: Plan, name: str) -> Architecture:
    model = next(m for m in plan.models if m.name == name)
    return model.architecture or BERT_BASE


def _seconds(plan: Plan, case: Case) -> float:
    """Latency as it was measured on two cores: a constant, tokens, and a model's own factor."""
    seconds = 0.035 + 0.0014 * case.workload.tokens
    place = plan.models.index(next(m for m in plan.models if m.name == case.model))
    slower = 1 + place * plan.slowdown * (1 + min(case.workload.tokens, 1024) / 256)
    faster = {"cuda": 40.0}.get(case.device.partition(":")[0], 1.0)
    return seconds * slower / faster / (1.6 if case.variant.dtype is not Dtype.FLOAT32 else 1.0)


def _samples(plan: Plan, cases: Sequence[Case]) -> pd.DataFrame:
    rng = np.random.default_rng(plan.seed)
    frames = [_batch(plan, c, r, rng) for c in cases for r in range(1, plan.repeats + 1)]
    return pd.concat(frames) if frames else pd.DataFrame()


def _batch(plan: Plan, case: Case, repeat: int, rng: np.random.Generator) -> pd.DataFrame:
    """One repeat: three warm-up forwards, then rounds of one switch and a block of samples."""
    warmups, per_round = 3, 1 + plan.block
    n = warmups + plan.rounds * per_round
    index = np.arange(n)
    place = (index - warmups) % per_round
    phase = np.where(index < warmups, "warmup", np.where(place == 0, "switch", "sample"))
    luck = 1 + plan.noise * np.sin(repeat * 12.9898)  # the same for all models of a process
    own = rng.lognormal(0, plan.noise / 4)
    spikes = np.where(rng.random(n) < 0.02, rng.uniform(1.2, 1.8, n), 1.0)
    wall = _seconds(plan, case) * luck * own * spikes * rng.lognormal(0, plan.noise, n)
    wall *= np.where(index < warmups, 1.35 - 0.1 * index, np.where(place == 0, 1.04, 1.0))
    return pd.DataFrame(
        {
            "case": case.id,
            "process": repeat,
            "index": index,
            "of": n,
            "phase": phase,
            "round": np.where(index < warmups, 0, (index - warmups) // per_round + 1),
            "at_s": np.round(np.cumsum(wall) - wall + 0.5, 9),
            "wall_s": np.round(wall, 9),
            "cpu_s": np.round(wall * plan.threads * 0.97, 9),
            "host_s": np.nan,
        }
    )


def _measurements(plan: Plan, case: Case) -> list[dict[str, Any]]:
    kind = {
        Measure.STATIC: _static,
        Measure.MEMORY: _memory,
        Measure.FORWARD: _disturbances,
        Measure.TEXT: _text,
    }[case.measure]
    repeats = {Measure.STATIC: 1, Measure.MEMORY: 3}.get(case.measure, plan.repeats)
    rows = []
    for repeat in range(1, repeats + 1):
        found = kind(plan, case, repeat)
        rows += [
            {
                "case": case.id,
                "process": repeat,
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


def _parts(plan: Plan, case: Case) -> dict[str, int]:
    return PARTS.get(_architecture(plan, case.model).model_type, PARTS["bert"])


def _static(plan: Plan, case: Case, repeat: int) -> Values:
    del repeat
    parts, arch = _parts(plan, case), _architecture(plan, case.model)
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


def _memory(plan: Plan, case: Case, repeat: int) -> Values:
    width = 4 if case.variant.dtype is Dtype.FLOAT32 else 2
    weights = sum(_parts(plan, case).values()) * width
    arch = _architecture(plan, case.model)
    activations = formulas.peak_activation_bytes(arch, case.workload, width) or 0
    found: Values = {
        "load_time": ("s", weights / 4.2e8 * (1 + 0.05 * repeat)),
        "weight_bytes": ("B", weights),
        "peak_activation_bytes": ("B", activations),
    }
    if case.device == "cpu":
        loaded = weights * 1.01 + 5e6
        found["load_peak_rss_bytes"] = ("B", round(loaded))
        found["peak_rss_bytes"] = ("B", round(loaded + activations * 1.1 + 2e7 + repeat * 1e6))
    else:
        found["cuda_peak_allocated_bytes"] = ("B", weights + activations)
        found["cuda_peak_reserved_bytes"] = ("B", round((weights + activations) * 1.2))
    return found


def _disturbances(plan: Plan, case: Case, repeat: int) -> Values:
    del plan, case
    return {
        "steal_time": ("s", 0.01 * repeat),
        "involuntary_switches": ("1", 90.0 * repeat),
        "major_page_faults": ("1", 0),
        "load_average": ("1", 1.1 + 0.1 * repeat),
    }


def _text(plan: Plan, case: Case, repeat: int) -> Values:
    return {
        **_disturbances(plan, case, repeat),
        "throughput_words": ("1/s", 300.0 + repeat),
        "throughput_tokens": ("1/s", 400.0 + repeat),
        "tokens_per_word": ("1", 1.33),
        "tokenize_time": ("s", 0.001),
        "padding_share": ("1", 0.12),
    }


def _environment(plan: Plan, name: str, cases: Sequence[Case]) -> dict[str, Any]:
    random = [m.name for m in plan.models if _weights(plan, m.name) == "random"]
    return {
        "run": {
            "id": name,
            "started": plan.started,
            "finished": plan.started if plan.state == "complete" else None,
            "state": plan.state,
            "profile": "full",
            "suites": list(plan.suites),
            "models": [m.name for m in plan.models],
            "weights_asked": "auto",
            "options": {
                "threads": plan.threads,
                "seed": plan.seed,
                "sampling": {
                    "processes": plan.repeats,
                    "min_processes": 3,
                    "precision": 0.02,
                    "budget_s": 60.0,
                    "max_time_s": None,
                    "memory_processes": 3,
                },
            },
            "plan": [_identity(plan, c) for c in cases],
        },
        "machine": {
            "cpu": plan.cpu,
            "cores_physical": 2,
            "cores_logical": 2,
            "memory_bytes": 25_276_514_304,
            "os": "Linux 6.18",
            "architecture": "x86_64",
        },
        "software": {
            "python": "3.11.7",
            "torch": "2.13.0+cpu",
            "transformers": "5.23.0",
            "numpy": "2.4.6",
            "bench": "0.1.0",
            "cuda": None,
            "gpus": [],
        },
        "fingerprint": {
            "cpu": plan.cpu,
            "threads": plan.threads,
            "torch": "2.13.0+cpu",
            "id": f"{zlib.crc32(repr((plan.cpu, plan.threads)).encode()):012x}",
        },
        "warnings": [f"random weights for {' and '.join(random)}"] if random else [],
        "time_spent": {
            "start_s": 21.577,
            "load_s": 16.74,
            "workers_s": 197.935,
            "timed_s": 114.683,
            "forwards_s": 110.665,
            "total_s": 197.972,
            "forwards_share": 0.965,
        },
    }
