"""What the machine is, and what runs on it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from bench.core.allocator import Allocator
from bench.machine.kernel import Kernel

SETTINGS = (
    *("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "PYTHONMALLOC", "THP_MEM_ALLOC_ENABLE"),
    *("JEMALLOC_", "MIMALLOC_", "TCMALLOC_"),
    *("OMP_", "KMP_", "GOMP_", "MKL_", "ONEDNN_", "DNNL_", "ATEN_", "OPENBLAS_", "BLIS_"),
    *("VECLIB_", "LRU_CACHE_CAPACITY"),
    *("PYTORCH_", "TORCHDYNAMO_", "TORCHINDUCTOR_", "TORCH_ALLOW_TF32", "TORCH_BLAS_"),
    *("TORCH_COMPILE_", "TORCH_CUDNN_", "TORCH_LINALG_", "TRITON_", "FLASH_ATTENTION_"),
    *("ORT_", "OPENVINO_", "OV_"),
    *("CUBLAS", "CUDNN_", "NVIDIA_TF32", "CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_MAX_CONNECTIONS"),
    *("CUDA_MODULE_LOADING", "CUDA_MPS_", "CUDA_FORCE_PTX_JIT", "CUDA_DISABLE_PTX_JIT"),
)
"""How the environment variables begin that change seconds or memory: those of allocators (the last
is torch's, on ARM), of the libraries that compute, of torch and its compilers, of other backends,
and of CUDA."""
IGNORED = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TORCHINDUCTOR_CACHE_DIR"),
    "TRITON_CACHE_DIR",
)
"""Those that every worker is given anew, and where compiled kernels are kept."""
HUGE_PAGES = "sys/kernel/mm/transparent_hugepage/enabled"


def default_threads() -> int:
    """Physical cores this process may use: what torch itself would take."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    physical = _known(lambda: psutil.cpu_count(logical=False)) or os.cpu_count() or 1
    return max(1, min(physical, allowed or 1))


def machine() -> dict[str, Any]:
    """The hardware and operating system, without names that identify the machine or its user."""
    return {
        "cpu": _cpu_name(),
        "cores_physical": _known(lambda: psutil.cpu_count(logical=False)),
        "cores_logical": os.cpu_count(),
        "cores_usable": default_threads(),
        "memory_bytes": _known(lambda: psutil.virtual_memory().total),
        "os": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "settings": settings(os.environ),
        "huge_pages": huge_pages(Kernel()),
    }


def settings(variables: Mapping[str, str]) -> str:
    """The environment variables that move results, as `NAME=value ...`; of a path its last part."""
    found = {
        name: " ".join(Path(part).name for part in re.split(r"[\s:]+", value))
        for name, value in sorted(variables.items())
        if name.startswith(SETTINGS) and name not in IGNORED
    }
    return " ".join(f"{name}={value}" for name, value in found.items())


def huge_pages(kernel: Kernel) -> str:
    """Who gets transparent huge pages: `always`, `madvise` (who asks), `never`; "" if unknown."""
    chosen = re.search(r"\[(\w+)\]", kernel.text(HUGE_PAGES) or "")
    return chosen[1] if chosen else ""


def _known(read: Callable[[], int | None]) -> int | None:
    """What psutil finds; None where the system does not let it look."""
    try:
        return read()
    except (psutil.Error, OSError, NotImplementedError):
        return None


def fingerprint(
    hardware: dict[str, Any],
    programs: dict[str, Any],
    threads: int,
    allocator: Allocator = Allocator.SYSTEM,
) -> dict[str, Any]:
    """What must be equal for the seconds of two runs to be comparable, with a short `id` of it."""
    facts = {
        "cpu": hardware["cpu"],
        "cores_usable": hardware["cores_usable"],
        "architecture": hardware["architecture"],
        "threads": threads,
        # Absent where there are none, as in runs from before they were recorded.
        **({"settings": hardware["settings"]} if hardware.get("settings") else {}),
        **({"allocator": allocator.value} if allocator is not Allocator.SYSTEM else {}),
        **({"packages": programs["packages"]} if programs.get("packages") else {}),
        # Nothing that runs here asks for them, so that the other two are alike.
        **({"huge_pages": "always"} if hardware.get("huge_pages") == "always" else {}),
        **{k: programs[k] for k in ("python", "torch", "transformers", "cpu_capability", "cuda")},
        "gpus": [gpu["name"] for gpu in programs["gpus"]],
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return {**facts, "id": digest[:12]}


def _cpu_name() -> str:
    for line in (Kernel().text("proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
