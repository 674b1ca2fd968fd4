"""`bench agree`: our times of every variant beside those of another way to time, in turn.

On the CPU that is `torch.utils.benchmark.Timer`; on CUDA a loop of events written for itself.
"""

from __future__ import annotations

import logging
import math
import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.core.architecture import Model
from bench.core.axes import REFERENCE, Variant
from bench.core.case import Status, Workload
from bench.core.units import MS
from bench.plan.options import Options
from bench.plan.registry import pick_models, pick_suites
from bench.runner.prepare import devices_here
from bench.stats.centres import exponential
from bench.stats.intervals import quantile_interval
from bench.worker.device import device_clock
from bench.worker.measures.forward import CAPTURED
from bench.worker.probe import software
from bench.worker.sampler import Forward, Limits, Sampler
from bench.worker.session import classify

WORKLOADS = {"cpu": (Workload(1, 32),), "cuda": (Workload(1, 128), Workload(32, 128))}
"""By kind of device: on the CPU small, so that every variant has its turn within minutes."""
TOLERANCE = 0.02
ROUNDS = 20
FORWARDS = 3
"""Timed by each in a round; the round's minimum is compared, as in every ratio here."""


@dataclass(frozen=True)
class Agreement:
    """Our time over the other's of the same forward: median of rounds, 95 % interval."""

    model: str
    variant: str
    workload: Workload
    ratio: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether both agree within the tolerance."""
        return abs(self.ratio - 1) <= TOLERANCE

    @property
    def is_noise(self) -> bool:
        """Whether they do not, though they may: the interval reaches into the tolerance."""
        return not self.holds and self.low <= 1 + TOLERANCE and self.high >= 1 - TOLERANCE


@dataclass(frozen=True)
class Untimed:
    """A variant that could not be timed here, and why; `failed` where it ought to have been."""

    model: str
    variant: str
    workload: Workload
    reason: str
    failed: bool


def main(models: tuple[str, ...], device: str, threads: int) -> int:
    """Compare every variant that runs there, and say so one by one; 1 when one disagrees."""
    Options(threads=threads, devices=(device,))  # the same checks, with the same words, as a run
    devices_here((device,), software())
    (suite,) = pick_suites(["variants"])
    return show(agreements(pick_models(models), suite.variants, device, threads))


def show(found: Iterable[Agreement | Untimed]) -> int:
    """Print each as soon as it is known; 1 when one disagrees or nothing was compared."""
    from bench.terminal.progress import console

    out, seen, failed = console(), 0, 0
    out.print("our time / another way's, of the same forward, in turn", style="dim")
    for one in found:
        if isinstance(one, Untimed):
            failed += one.failed
            text = f"{'FAILED' if one.failed else 'skipped'}: {one.reason}"
        else:
            seen += 1
            failed += not one.holds
            text = f"{one.ratio:.4f} [{one.low:.4f}, {one.high:.4f}]  {_verdict(one)}"
        what = f"{one.model:<22} {one.workload!s:<20} {one.variant:<32}"
        out.print(f"{what} {text}", markup=False, soft_wrap=True)
    return int(failed > 0 or not seen)


def _verdict(one: Agreement) -> str:
    if one.is_noise:
        return "not shown: too noisy, close other programs and try again"
    return "ok" if one.holds else f"FAILED: more than {TOLERANCE:.0%} apart"


def agreements(
    models: Iterable[Model], variants: Sequence[Variant], device: str, threads: int
) -> Iterator[Agreement | Untimed]:
    """Each model in each of the variants; what cannot run there has a reason instead."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(threads)
    for model in models:
        for variant in variants:
            for workload in WORKLOADS[device.partition(":")[0]]:
                yield _agreement(model, variant, workload, device, threads)


def _agreement(
    model: Model, variant: Variant, workload: Workload, device: str, threads: int
) -> Agreement | Untimed:
    import torch

    from bench.worker.loading import load, make_inputs
    from bench.worker.variants import build, require

    try:
        require(variant, device)
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # exporters have much to say
            module = load(model, REFERENCE, None, device, random=True)
            inputs = make_inputs(module, workload, device, seed=0)
            forward = build(module, variant, device, inputs, threads=threads).bind(inputs)
            for _ in range(CAPTURED):
                forward()
            logs = _compare(forward, device, threads)
    except Exception as error:  # noqa: BLE001 - whatever a variant raises is its reason
        status, reason = classify(error)
        failed = status is not Status.SKIPPED
        return Untimed(model.name, str(variant), workload, reason, failed)
    seen = exponential(quantile_interval(np.array(logs), 0.5))
    return Agreement(model.name, str(variant), workload, seen.value, seen.low, seen.high)


def _compare(forward: Forward, device: str, threads: int) -> list[float]:
    """The log-ratio of both ways, round by round."""
    clock = device_clock(device)
    sampler = Sampler(clock, random.Random(0), Limits(0.0, 0.0))  # noqa: S311 - an order
    theirs = _events(forward, device) if clock.has_device else _timer(forward, threads)
    sampler.warm_up("ours", forward)
    logs = []
    for number in range(ROUNDS):
        found = {}
        for who in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            theirs(1)  # what a switch costs falls on neither
            block = sampler.time(forward, FORWARDS) if who == "ours" else theirs(FORWARDS)
            found[who] = min(block)
        logs.append(math.log(found["ours"] / found["theirs"]))
    return logs


def _timer(forward: Forward, threads: int) -> Callable[[int], list[float]]:
    """Seconds of some forwards by torch's own timer."""
    from torch.utils.benchmark import Timer

    timer = Timer("forward()", globals={"forward": forward}, num_threads=threads)
    return lambda forwards: [timer.timeit(1).mean for _ in range(forwards)]


def _events(forward: Forward, device: str) -> Callable[[int], list[float]]:
    """Seconds of some forwards as `triton.testing.do_bench` takes them, with a warm L2."""
    import torch

    def timed(forwards: int) -> list[float]:
        begins, ends = (
            [torch.cuda.Event(enable_timing=True) for _ in range(forwards)] for _ in range(2)
        )
        with torch.cuda.device(device):
            for begin, end in zip(begins, ends, strict=True):
                begin.record()
                forward()
                end.record()
            torch.cuda.synchronize()
        return [b.elapsed_time(e) * MS for b, e in zip(begins, ends, strict=True)]

    return timed
