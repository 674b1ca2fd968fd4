"""`bench agree`: our times of every variant beside those of torch.utils.benchmark, in turn."""

from __future__ import annotations

import logging
import math
import random
import statistics
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.clock import SystemClock
from bench.measure.session import classify
from bench.plan import Options
from bench.registry import pick_models, pick_suites
from bench.sampling import Forward, Limits, Sampler
from bench.spec import Model, Status, Workload
from bench.variant import REFERENCE, Variant

WORKLOAD = Workload(1, 32)
"""Small, so that every variant has its turn within minutes."""
TOLERANCE = 0.02
ROUNDS = 20
FORWARDS = 3
"""Timed by each in a round; the round's minimum is compared, as in every ratio here."""


@dataclass(frozen=True)
class Agreement:
    """Our time over torch's Timer's of the same forward: median of rounds, 95 % interval."""

    model: str
    variant: str
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
    reason: str
    failed: bool


def main(models: tuple[str, ...], threads: int) -> int:
    """Compare every variant that runs here, and say so one by one; 1 when one disagrees."""
    Options(threads=threads)  # the same check, with the same words, as for a run
    (suite,) = pick_suites(["variants"])
    return show(agreements(pick_models(models), suite.variants, threads))


def show(found: Iterable[Agreement | Untimed]) -> int:
    """Print each as soon as it is known; 1 when one disagrees or nothing was compared."""
    from bench.display import console

    out, seen, failed = console(), 0, 0
    out.print("our time / torch's Timer's, of the same forward, in turn", style="dim")
    for one in found:
        if isinstance(one, Untimed):
            failed += one.failed
            text = f"{'FAILED' if one.failed else 'skipped'}: {one.reason}"
        else:
            seen += 1
            failed += not one.holds
            text = f"{one.ratio:.4f} [{one.low:.4f}, {one.high:.4f}]  {_verdict(one)}"
        out.print(f"{one.model:<22} {one.variant:<32} {text}", markup=False, soft_wrap=True)
    return int(failed > 0 or not seen)


def _verdict(one: Agreement) -> str:
    if one.is_noise:
        return "not shown: too noisy, close other programs and try again"
    return "ok" if one.holds else f"FAILED: more than {TOLERANCE:.0%} apart"


def agreements(
    models: Iterable[Model], variants: Sequence[Variant], threads: int
) -> Iterator[Agreement | Untimed]:
    """Each model in each of the variants; what this machine cannot run has a reason instead."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(threads)
    for model in models:
        for variant in variants:
            yield _agreement(model, variant, threads)


def _agreement(model: Model, variant: Variant, threads: int) -> Agreement | Untimed:
    import torch

    from bench.engines import build, require
    from bench.loading import load, make_inputs

    try:
        require(variant, "cpu")
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # exporters have much to say
            module = load(model, REFERENCE, None, "cpu", random=True)
            inputs = make_inputs(module, WORKLOAD, "cpu", seed=0)
            forward = build(module, variant, "cpu", inputs).bind(inputs)
            return _compare(model.name, variant, forward, threads)
    except Exception as error:  # noqa: BLE001 - whatever a variant raises is its reason
        status, reason = classify(error)
        return Untimed(model.name, str(variant), reason, status is not Status.SKIPPED)


def _compare(model: str, variant: Variant, forward: Forward, threads: int) -> Agreement:
    from torch.utils.benchmark import Timer

    from bench.stats import quantile_interval

    sampler = Sampler(SystemClock(), random.Random(0), Limits(0.0, 0.0))  # noqa: S311 - an order
    timer = Timer("forward()", globals={"forward": forward}, num_threads=threads)
    sampler.warm_up("ours", forward)
    logs = []
    for number in range(ROUNDS):
        found = {}
        for who in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            timer.timeit(1)  # what a switch costs falls on neither
            if who == "ours":
                block = sampler.time(forward, FORWARDS)
                found[who] = min(block)
            else:
                found[who] = min(timer.timeit(1).mean for _ in range(FORWARDS))
        logs.append(math.log(found["ours"] / found["theirs"]))
    import numpy as np

    middle = quantile_interval(np.array(logs), 0.5)
    ratio = statistics.median(logs)
    return Agreement(model, str(variant), *(math.exp(v) for v in (ratio, middle.low, middle.high)))
