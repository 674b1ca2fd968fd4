"""Torch's devices: their type, their clock, and the GPU behind one."""

from __future__ import annotations

import pynvml
import torch

from bench.machine.gpu import Gpu, known
from bench.worker.clock import CudaClock, SystemClock


def type_of(device: str) -> str:
    """The type of a device ("cpu", "cuda", "cuda:1"): cpu or cuda."""
    return device.partition(":")[0]


def device_clock(device: str) -> SystemClock:
    """The clock for forwards on `device`."""
    return SystemClock() if type_of(device) == "cpu" else CudaClock(torch.cuda, device)


def gpu_of(device: str) -> Gpu | None:
    """The GPU that torch calls `device`; None for the CPU, and where NVML does not know it.

    torch numbers the devices that it may see, NVML all there are: they meet by UUID.
    """
    if type_of(device) == "cpu":
        return None
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return known(pynvml, str(uuid))
