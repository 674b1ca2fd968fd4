"""Runs made of invented but plausible numbers, written through records: any size, any trouble."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from synthetic_values import measurements

from bench.core.architecture import Architecture, Model
from bench.core.axes import Dtype, Variant
from bench.core.case import Case, Workload
from bench.core.measure import Measure
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.results import store as records
from suites.models import BERT_BASE, MODELS

BERT, ALBERT = MODELS[:2]
SUITES = {
    "parameters": (STATIC, ((1, 128), (1, 512))),
    "memory": (MEMORY, ((1, 128), (8, 128), (8, 512), (32, 512))),
    "latency": (FORWARD, tuple((1, s) for s in (16, 32, 64, 128, 256, 512))),
    "throughput": (FORWARD, tuple((b, 128) for b in (2, 4, 8, 16, 32))),
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
    processes: int = 5
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
        "samples": _samples(plan, [c for c in kept if c.measure.timed]),
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
    timed = case.measure.timed and status == "ok"
    return {
        **_identity(plan, case),
        "measure": case.measure.name,
        "source": next(m.source for m in plan.models if m.name == case.model),
        "revision": "",
        "checkpoint_bytes": None,
        "checkpoint_sha256": "",
        "status": status,
        "reason": reason,
        "processes": plan.processes if status == "ok" else 0,
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
    frames = [_batch(plan, c, r, rng) for c in cases for r in range(1, plan.processes + 1)]
    return pd.concat(frames) if frames else pd.DataFrame()


def _batch(plan: Plan, case: Case, process: int, rng: np.random.Generator) -> pd.DataFrame:
    """One process: three warm-up forwards, then rounds of one switch and a block of samples."""
    warmups, per_round = 3, 1 + plan.block
    n = warmups + plan.rounds * per_round
    index = np.arange(n)
    place = (index - warmups) % per_round
    phase = np.where(index < warmups, "warmup", np.where(place == 0, "switch", "sample"))
    shared = 1 + plan.noise * np.sin(process * 12.9898)  # the same for all models of a process
    own = rng.lognormal(0, plan.noise / 4)
    spikes = np.where(rng.random(n) < 0.02, rng.uniform(1.2, 1.8, n), 1.0)
    wall = _seconds(plan, case) * shared * own * spikes * rng.lognormal(0, plan.noise, n)
    wall *= np.where(index < warmups, 1.35 - 0.1 * index, np.where(place == 0, 1.04, 1.0))
    return pd.DataFrame(
        {
            "case": case.id,
            "process": process,
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
    return measurements(case, _architecture(plan, case.model), plan.processes)


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
                    "processes": plan.processes,
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
