"""The software and the devices as a worker sees them."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import transformers

from bench import __version__
from bench.core.axes import Variant
from bench.core.events import Packages
from bench.worker.variants import versions


def software() -> dict[str, Any]:
    """Versions that decide results, and the CUDA devices torch sees."""
    gpus = []
    # Torch counts devices that a driver too old for it cannot give it.
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        gpu = torch.cuda.get_device_properties(index)
        gpus.append({"name": gpu.name, "memory_bytes": gpu.total_memory})
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "bench": __version__,
        "cuda": torch.version.cuda,
        "mkldnn": torch.backends.mkldnn.is_available(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "gpus": gpus,
    }


def packages(variants: Iterable[Variant]) -> tuple[Packages, ...]:
    """What each variant needs on each type of device, where it needs more than torch."""
    found = (Packages(v, d, versions(v, d)) for v in variants for d in ("cpu", "cuda"))
    return tuple(one for one in found if one.versions)
