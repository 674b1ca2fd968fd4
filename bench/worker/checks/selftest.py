"""Measures the harness itself, on things whose true value is known."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import torch

from bench.core.events import Event, Known, Quantity, Sample
from bench.plan.orders import Selftest
from bench.worker.clock import SystemClock
from bench.worker.measures.memory import peak_allocated_bytes
from bench.worker.monitor import RoundWatch
from bench.worker.sampler import Limits, Sampler

READINGS = 200


def measure(order: Selftest, emit: Callable[[Event], None]) -> None:
    """Report each quantity as soon as it is known, the cheapest first."""
    emit(overhead(order.budget_s))
    emit(round_reading())
    emit(added_delay(order))
    emit(allocation(order.allocation_bytes))


def _sample(forward: Callable[[], object], budget_s: float) -> list[Sample]:
    sampler = Sampler(SystemClock(), random.Random(0), Limits(budget_s, 0.0))  # noqa: S311
    warm = sampler.warm_up("forward", forward)
    return sampler.rounds({"forward": forward}, {"forward": warm[-1].wall_s})["forward"]


def overhead(budget_s: float) -> Known:
    """Seconds the harness itself spends per sample, from the time of a do-nothing forward.

    Counts everything between two samples: clocks, bookkeeping, the order of rounds.
    """
    samples = _sample(lambda: None, budget_s)
    per_sample = (samples[-1].at_s - samples[0].at_s) / (len(samples) - 1)
    return Known(Quantity.OVERHEAD, per_sample, len(samples))


def round_reading() -> Known:
    """Seconds to read, once a round, the state of the machine; in no timed forward."""
    watch = RoundWatch(SystemClock())
    took = []
    for number in range(READINGS):
        began = time.perf_counter()
        watch.begin()
        watch.end(number)
        took.append(time.perf_counter() - began)
    return Known(Quantity.ROUND_READING, statistics.median(took), READINGS)


def added_delay(order: Selftest) -> Known:
    """By how many seconds a forward of twice the delay is longer than one of the delay."""

    def busy(seconds: float) -> Callable[[], None]:
        def forward() -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                pass

        return forward

    once, twice = (_sample(busy(n * order.delay_s), order.budget_s) for n in (1, 2))
    medians = [statistics.median(sample.wall_s for sample in samples) for samples in (once, twice)]
    return Known(Quantity.ADDED_DELAY, medians[1] - medians[0], len(once) + len(twice))


def allocation(size: int) -> Known:
    """Peak activation bytes of a module that allocates so many."""

    class Allocates(torch.nn.Module):
        def forward(self) -> torch.Tensor:
            return torch.empty(size, dtype=torch.uint8)

    return Known(Quantity.ALLOCATION, float(peak_allocated_bytes(Allocates())), 1)
