"""The GPU behind a torch device."""

from __future__ import annotations

from bench.machine.gpu import Gpu, known


def gpu_of(device: str) -> Gpu | None:
    """The GPU that torch calls `device`; None for the CPU, and where NVML does not know it.

    torch numbers the devices that it may see, NVML all there are: they meet by UUID.
    """
    if not device.startswith("cuda"):
        return None
    import pynvml
    import torch

    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return known(pynvml, str(uuid))
