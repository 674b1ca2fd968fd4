"""Summary and ratios of an invented run, written down: no statistics between them and a test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
from fakes import RANDOM, case

from bench.core.case import Case
from bench.core.measure import Measure
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.core.metrics import metric
from bench.plan.jobs import identity
from bench.results.schema import RATIOS, SUMMARY
from bench.runner.finalize import Outcome
from bench.stats.analysis import Analysis

BERT, ALBERT = "bert-base-uncased", "albert-base-v2"
NO_HUB = (
    "random weights for bert-base-uncased and albert-base-v2 (no hub): the same architecture, so "
    "speed and memory hold; outputs mean nothing"
)
WARNINGS = (NO_HUB, "cold_start left out: no checkpoint to read")
COUNTED = {
    "stored_parameters": (109_482_240.0, 11_683_584.0),
    "applied_parameters": (109_482_240.0, 89_700_000.0),
    "applied_parameters.encoder": (85_054_464.0, 85_054_464.0),
    "applied_parameters.embeddings": (24_427_776.0, 4_645_536.0),
    "weight_bytes": (437_928_960.0, 46_734_336.0),
}
TIMES = {
    (1, 32): (0.0693, 0.0700, 1.0091, 1.0042, 1.0139),
    (1, 128): (0.168, 0.178, 1.06, 1.0496, 1.0705),
    (1, 512): (0.616, 0.690, 1.13, 1.0702, 1.1898),
    (4, 128): (0.601, 0.609, 1.012, 0.988, 1.0371),
    (8, 128): (1.21, 1.28, 1.05, 0.91, 1.21),
}
"""By workload: medians in s of both models, their ratio and its bounds."""
PEAKS = {(1, 128): (470e6, 78.5e6), (8, 128): (506e6, 200e6)}


def outcome(models: Sequence[str] = (BERT, ALBERT)) -> Outcome:
    """A default run of these models, each further one as the second."""
    rows: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []

    def add(
        name: str, measure: Measure, size: tuple[int, int], values: Any, *bounds: float
    ) -> None:
        for place, model in enumerate(models):
            one = case(model, measure=measure, batch_size=size[0], seq_len=size[1], threads=2)
            value = values[min(place, 1)]
            spread = 0.04 if measure is FORWARD else math.nan
            rows.append(
                _row(one, name)
                | {
                    "value": value,
                    "low": value * (1 - spread),
                    "high": value * (1 + spread),
                    "n": 50,
                }
            )
            if place:
                exact = metric(name).exact
                ratio = values[1] / values[0]
                found.append(
                    _row(one, name)
                    | {"reference": models[0], "rounds": 0 if exact else 10, "processes": 1}
                    | dict(zip(("ratio", "low", "high"), (ratio,) * 3, strict=True))
                    | ({} if exact else {"low": math.nan, "high": math.nan})
                )
                if bounds:
                    named = dict(zip(("ratio", "low", "high"), bounds, strict=True))
                    found[-1] |= {**named, "processes": 5}

    for name, values in COUNTED.items():
        for tokens in (128, 512):
            add(name, STATIC, (1, tokens), values)
    add("flops", STATIC, (1, 128), (22.3e9, 22.328e9))
    add("flops", STATIC, (1, 512), (96.6e9, 96.7e9))
    for size, (own, other, *bounds) in TIMES.items():
        add("latency", FORWARD, size, (own, other), *bounds)
    for size, peaks in PEAKS.items():
        add("weight_bytes", MEMORY, size, COUNTED["weight_bytes"])
        add("peak_rss_bytes", MEMORY, size, peaks)
    directory = Path("results/20261127-182636-f611a6")
    run: Any = SimpleNamespace(directory=directory, environment=environment())
    analysis = Analysis(run)
    analysis.__dict__["summary"] = pd.DataFrame(rows, columns=list(SUMMARY))
    analysis.__dict__["ratios"] = pd.DataFrame(found, columns=list(RATIOS))
    return Outcome(analysis)


def environment() -> dict[str, Any]:
    """What the ending reads of a run's environment."""
    return {
        "run": {"state": "complete"},
        "machine": {"cpu": "AMD EPYC"},
        "software": {"torch": "2.13.0+cpu"},
        "warnings": list(WARNINGS),
        "time_spent": {"total_s": 292.0, "forwards_s": 165.0, "start_s": 20.0, "load_s": 20.0},
    }


def _row(one: Case, name: str) -> dict[str, Any]:
    random = {one.model: RANDOM}
    unit = metric(name).unit.value
    return {**identity(one, random), "metric": name, "unit": unit, "case": one.id}
