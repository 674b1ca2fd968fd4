"""Times forwards our way and other ways in turn, and reports the ratio of each round.

On the CPU the other way is `torch.utils.benchmark.Timer`; on CUDA a loop of events written for
itself and, where triton is installed, `triton.testing.do_bench`, which overwrites a large buffer
before each forward, so that it finds nothing in the L2: there ours does the same.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import random
import warnings
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch.utils.benchmark import Timer

from bench.core.axes import REFERENCE
from bench.core.case import Case
from bench.core.events import Begin, Compared, Event, Failed
from bench.core.units import MS
from bench.plan.orders import Crosscheck
from bench.worker.device import device_clock, type_of
from bench.worker.engine import Forward
from bench.worker.loading import load, make_inputs
from bench.worker.measures.forward import CAPTURED
from bench.worker.sampler import Limits, Sampler
from bench.worker.session import classify
from bench.worker.variants import build, require

Way = Callable[[int], list[float]]
"""Seconds of so many forwards; at least one."""


def measure(order: Crosscheck, emit: Callable[[Event], None]) -> None:
    """Report each case in each other way as soon as it is compared, or why it could not be."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.set_num_threads(order.threads)
    for case in order.cases:
        emit(Begin((case.id,)))
        try:
            with warnings.catch_warnings(), torch.inference_mode():
                warnings.simplefilter("ignore")  # exporters have much to say
                _measure(order, case, emit)
        except Exception as error:  # noqa: BLE001 - whatever a variant raises is its reason
            emit(Failed(case.id, *classify(error)))


def _measure(order: Crosscheck, case: Case, emit: Callable[[Event], None]) -> None:
    require(case.variant, case.device)
    model = next(m for m in order.models if m.name == case.model)
    module = load(model, REFERENCE, None, case.device, random=True)
    inputs = make_inputs(module, case.workload, case.device, seed=0)
    engine = build(module, case.variant, case.device, inputs, threads=case.threads)
    forward = engine.bind(inputs)
    for _ in range(CAPTURED):
        forward()
    for name, (ours, theirs) in _ways(forward, case).items():
        logs = [_log_ratio(ours, theirs, order.forwards, n) for n in range(order.rounds)]
        emit(Compared(case.id, name, tuple(logs)))


def _log_ratio(ours: Way, theirs: Way, forwards: int, number: int) -> float:
    """Log of the fastest of ours over the fastest of theirs, in one round."""
    found = {}
    for way in (ours, theirs) if number % 2 else (theirs, ours):
        theirs(1)  # what a switch costs falls on neither
        found[way] = min(way(forwards))
    return math.log(found[ours] / found[theirs])


def _ways(forward: Forward, case: Case) -> Mapping[str, tuple[Way, Way]]:
    """By the name of another way to time: ours under the same conditions, and that one."""
    ours = _sampler(forward, case)
    if type_of(case.device) == "cpu":
        return {"torch.utils.benchmark.Timer": (ours, _timer(forward, case.threads))}
    ways = {"CUDA events": (ours, partial(_events, forward, case.device))}
    if importlib.util.find_spec("triton") is not None:
        theirs = partial(_do_bench, forward, case.device)
        ways["triton.testing.do_bench"] = (_sampler(forward, case, _triton_flush(case)), theirs)
    return ways


def _sampler(forward: Forward, case: Case, before: Callable[[], object] | None = None) -> Way:
    """Our own way; `before` is called before each forward and belongs to no time."""
    clock, order = device_clock(case.device), random.Random(0)  # noqa: S311 - an order
    sampler = Sampler(clock, order, Limits(0.0, 0.0), before={"": before} if before else {})
    sampler.warm_up("", forward)
    return lambda forwards: sampler.time(forward, forwards)


def _timer(forward: Forward, threads: int) -> Way:
    """Torch's own timer."""
    timer = Timer("forward()", globals={"forward": forward}, num_threads=threads)
    return lambda forwards: [timer.timeit(1).mean for _ in range(forwards)]


def _events(forward: Forward, device: str, forwards: int) -> list[float]:
    """A pair of events around each forward, with nothing of this tool between them."""
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


def _triton_flush(case: Case) -> Callable[[], object]:
    """What do_bench does before each forward."""
    from triton.runtime import driver  # installed only beside a CUDA build of torch

    with torch.cuda.device(case.device):
        buffer: torch.Tensor = driver.active.get_empty_cache_for_benchmark()
    return buffer.zero_


def _do_bench(forward: Forward, device: str, forwards: int) -> list[float]:
    """Triton's timer; it is given a length of time for its repetitions, and takes as many as fit.

    The first measurement says how long one takes.
    """
    from triton.testing import do_bench  # likewise

    with torch.cuda.device(device):
        (once, *_) = do_bench(forward, warmup=0, rep=0, return_mode="all")
        length = math.ceil(2 * forwards * once)
        found = do_bench(forward, warmup=0, rep=length, return_mode="all")
    return [milliseconds * MS for milliseconds in found[:forwards]]
