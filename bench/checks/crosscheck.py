"""`bench crosscheck`: our times of every variant beside those of other ways to time, in turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.core.architecture import Model
from bench.core.axes import Variant
from bench.core.case import Case, Status, Workload
from bench.core.events import Compared, Ended, Event, Failed
from bench.core.measures.forward import FORWARD
from bench.plan.options import Options
from bench.plan.orders import Crosscheck
from bench.plan.registry import pick_models, pick_suites
from bench.runner.prepare import devices_here
from bench.runner.process import ask
from bench.runner.server import probe
from bench.stats.centres import exponential
from bench.stats.intervals import Interval, quantile_interval
from bench.terminal.progress import console

WORKLOADS = {"cpu": (Workload(1, 32),), "cuda": (Workload(1, 128), Workload(32, 128))}
"""By type of device: on the CPU small, so that every variant has its turn within minutes."""
TOLERANCE = 0.02
ROUNDS = 20
FORWARDS = 3
"""Timed by each in a round; the round's minimum is compared, as in every ratio here."""
SILENCE_S = 600.0
"""A worker that says nothing for so long is ended: compiling a variant takes minutes."""


@dataclass(frozen=True)
class Crosschecked:
    """Our time over another way's of the same forward: median of rounds, 95 % interval."""

    case: Case
    way: str
    ratio: Interval

    @property
    def holds(self) -> bool:
        """Whether both are the same within the tolerance."""
        return abs(self.ratio.value - 1) <= TOLERANCE

    @property
    def is_noise(self) -> bool:
        """Whether they are not, though they may be: the interval reaches into the tolerance."""
        reaches = self.ratio.low <= 1 + TOLERANCE and self.ratio.high >= 1 - TOLERANCE
        return not self.holds and reaches


@dataclass(frozen=True)
class Untimed:
    """A case that could not be timed here, and why; `failed` where it ought to have been."""

    case: Case
    reason: str
    failed: bool


def main(models: tuple[str, ...], device: str, threads: int) -> int:
    """Crosscheck every variant that runs there, and print them one by one; 1 when one differs."""
    Options(threads=threads, devices=(device,))  # the same checks, with the same words, as a run
    devices_here((device,), probe(threads=threads).facts)
    (suite,) = pick_suites(["variants"])
    order = make_order(pick_models(models), suite.variants, device, threads)
    return show(crosschecks(order, ask(order, SILENCE_S, threads)))


def make_order(
    models: Sequence[Model], variants: Iterable[Variant], device: str, threads: int
) -> Crosscheck:
    """Each model in each of the variants."""
    workloads = WORKLOADS[device.partition(":")[0]]
    cases = tuple(
        Case("crosscheck", FORWARD, model.name, variant, workload, device, threads)
        for model in models
        for variant in variants
        for workload in workloads
    )
    return Crosscheck(cases, tuple(models), threads, ROUNDS, FORWARDS)


def crosschecks(order: Crosscheck, events: Iterable[Event]) -> Iterator[Crosschecked | Untimed]:
    """What a worker's events say of each case; one that it never came to has failed."""
    cases = {case.id: case for case in order.cases}
    left = dict(cases)
    for event in events:
        match event:
            case Compared(name, way, log_ratios):
                left.pop(name, None)
                ratio = exponential(quantile_interval(np.array(log_ratios), 0.5))
                yield Crosschecked(cases[name], way, ratio)
            case Failed(name, status, reason):
                left.pop(name, None)
                yield Untimed(cases[name], reason, failed=status is not Status.SKIPPED)
            case Ended():
                reason = event.reason or "the worker ended without timing it"
                yield from (Untimed(case, reason, failed=True) for case in left.values())


def show(found: Iterable[Crosschecked | Untimed]) -> int:
    """Print each as soon as it is known; 1 when one differs or nothing was compared."""
    out, seen, failed = console(), 0, 0
    out.print("our time / another way's, of the same forward, in turn", style="dim")
    for one in found:
        if isinstance(one, Untimed):
            failed += one.failed
            text = f"{'FAILED' if one.failed else 'skipped'}: {one.reason}"
        else:
            seen += 1
            failed += not one.holds
            ratio = one.ratio
            bounds = f"{ratio.value:.4f} [{ratio.low:.4f}, {ratio.high:.4f}]"
            text = f"{bounds}  {_verdict(one)} ({one.way})"
        case = one.case
        what = f"{case.model:<22} {case.workload!s:<20} {case.variant!s:<32}"
        out.print(f"{what} {text}", markup=False, soft_wrap=True)
    return int(failed > 0 or not seen)


def _verdict(one: Crosschecked) -> str:
    if one.is_noise:
        return "not shown: too noisy, close other programs and try again"
    return "ok" if one.holds else f"FAILED: more than {TOLERANCE:.0%} apart"
