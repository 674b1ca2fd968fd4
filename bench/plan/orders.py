"""What a worker can be asked to do, a job or a check, and how it is written as one line."""

from __future__ import annotations

import json
from dataclasses import dataclass

from bench.core.architecture import Model
from bench.core.axes import Variant
from bench.core.case import Case
from bench.core.plain import from_plain, to_plain
from bench.plan.jobs import Job


@dataclass(frozen=True)
class Probe:
    """Report software and devices, with what these variants need."""

    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True)
class Selftest:
    """Measure the harness itself, against a known delay and a known allocation."""

    delay_s: float
    allocation_bytes: int
    budget_s: float
    """Wall time for sampling one forward."""


@dataclass(frozen=True)
class Crosscheck:
    """Time the forwards of these cases, in turn, our way and other ways; weights are random."""

    cases: tuple[Case, ...]
    models: tuple[Model, ...]
    threads: int
    rounds: int
    forwards: int
    """Timed by each way in a round."""


Order = Job | Probe | Selftest | Crosscheck

KINDS: dict[str, type[Order]] = {kind.__name__: kind for kind in (Job, Probe, Selftest, Crosscheck)}


def encode(order: Order) -> str:
    """The order as one line: what kind it is, and its JSON."""
    return f"{type(order).__name__} {json.dumps(to_plain(order))}"


def decode(line: str) -> Order:
    """The order in a line that `encode` wrote."""
    name, _, body = line.partition(" ")
    return from_plain(KINDS[name], json.loads(body))
