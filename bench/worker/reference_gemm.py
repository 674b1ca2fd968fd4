"""The reference GEMM: a matrix product of fixed size, timed in the same rounds as the models.

A forward's speed as a share of this one's moves little when other programs take a part of the
machine from both. On one thread both are taken in CPU seconds, in which nobody waits for a core: on
a 2-core machine with a load of 3, processes of one case then differ by 1 % (sd) and in wall seconds
by 10 %. Several threads wait for each other while their CPU time runs on, and a CUDA device has
none, so there wall seconds are taken. It is no share of a peak: a GEMM of this size reaches most
of one, not all.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import torch

from bench.core.axes import Dtype
from bench.core.case import Case, Compares
from bench.core.events import Phase, Sample

Shape = tuple[int, int, int]

SHAPES: dict[str, Shape] = {"cpu": (128, 768, 3072), "cuda": (4096, 4096, 4096)}
"""Rows, inner and columns by type of device. On a CPU BERT's feed-forward over 128 tokens, some
10 ms on one core: as long as a scheduler's slices, so that it waits as forwards do. On CUDA one
that takes far longer than its launch."""


def flops(device: str) -> int:
    """FLOPs of the reference GEMM on a device, 2 per multiply-add."""
    return 2 * math.prod(_shape(device))


def work(device: str, dtype: Dtype) -> Callable[[], torch.Tensor]:
    """A call that does it once, always on the same numbers and into the same place."""
    kind = getattr(torch, dtype.value, torch.float32)
    if not (isinstance(kind, torch.dtype) and kind.is_floating_point):
        kind = torch.float32
    rows, inner, columns = _shape(device)
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(rows, inner, generator=generator).to(device=device, dtype=kind)
    right = torch.randn(inner, columns, generator=generator).to(device=device, dtype=kind)
    out = torch.empty(rows, columns, device=device, dtype=kind)
    return lambda: torch.mm(left, right, out=out)


def share(
    case: Case,
    forward_flops: Callable[[int], int],
    forwards: Sequence[Sample],
    gemms: Sequence[Sample],
) -> dict[str, float]:
    """The metric `gemm_share`: FLOPs a second of forwards over those of the GEMM.

    Median over rounds, of the fastest of each in a round; `forward_flops` takes a round's number.
    Nothing where no round has both. Where numbers of threads are compared, the GEMM has all.
    """
    alone = case.threads == 1 and case.compares is not Compares.THREADS
    column = "cpu_s" if case.device == "cpu" and alone else "wall_s"
    ours, theirs = _fastest(forwards, column), _fastest(gemms, column)
    unit = flops(case.device)
    logs = [
        math.log(forward_flops(number) / ours[number] * theirs[number] / unit)
        for number in ours.keys() & theirs.keys()
        if ours[number] > 0 and theirs[number] > 0
    ]
    return {"gemm_share": math.exp(statistics.median(logs))} if logs else {}


def _shape(device: str) -> Shape:
    return SHAPES[device.partition(":")[0]]


def _fastest(timed: Sequence[Sample], column: str) -> dict[int, float]:
    """The fastest sample of each round, in seconds of a clock."""
    found: dict[int, float] = {}
    for one in timed:
        if one.phase is Phase.SAMPLE:
            found[one.round] = min(getattr(one, column), found.get(one.round, math.inf))
    return found
