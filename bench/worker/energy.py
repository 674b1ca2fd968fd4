"""Energy of a forward: the GPU's own counter over seconds of one model alone, after its rounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from bench.core.axes import Cache
from bench.core.case import Case
from bench.core.units import NS
from bench.machine.gpu import Gpu
from bench.plan.estimate import ENERGY_S
from bench.worker.clock import Clock
from bench.worker.device import gpu_of

if TYPE_CHECKING:
    from bench.worker.session import Session

BETWEEN_LOOKS = 10
"""Forwards between two looks at the clock, each of which waits for the device."""


def per_forward_j(gpu: Gpu, clock: Clock, forward: Callable[[], object]) -> float | None:
    """Joules that the whole device takes for a forward; None without a counter that counts.

    In rounds the models take turns too fast for it, so each has some seconds of its own. Seconds of
    work that take no energy come from a counter that a virtual machine keeps still.
    """
    clock.synchronize()
    before = gpu.energy_j()
    if before is None:
        return None
    forwards, began = 0, clock.wall_ns()
    while (clock.wall_ns() - began) * NS < ENERGY_S:
        for _ in range(BETWEEN_LOOKS):
            forward()
        clock.synchronize()
        forwards += BETWEEN_LOOKS
    after = gpu.energy_j()
    return None if after is None or after <= before else (after - before) / forwards


def energy(session: Session, case: Case, forward: Callable[[], object]) -> dict[str, float]:
    """Energy per sequence, where the device counts it; in the first process alone.

    Not with a cold L2: what empties it takes energy of its own.
    """
    if case.variant.cache is Cache.COLD:
        return {}
    device = gpu_of(case.device)
    if device is None or session.job.process > 1:
        return {}
    with torch.inference_mode(), session.spend("energy_s"):
        found = per_forward_j(device, session.clock, forward)
    return {} if found is None else {"energy_per_sequence": found / case.workload.batch_size}
