"""What this machine and installation cannot run, and why."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bench.core.axes import Attention, Backend, Cache, Compile, Dtype, Variant
from bench.core.errors import UnsupportedError

if TYPE_CHECKING:
    pass


EXTRAS = {
    Backend("onnxruntime"): (("onnxruntime", "onnx", "onnxscript"), "onnx"),
    Backend("openvino"): (("openvino",), "openvino"),
}
"""Per backend the modules it needs, itself first, and the extra of this package with them."""


COMPILERS = {"darwin": "clang++", "win32": "cl"}
"""By system what torch.compile builds its kernels for the CPU with, unless CXX names another; g++
where none is named."""


LAUNCHERS = ("gcc", "clang", "cc")
"""What Triton builds the host's side of its kernels with, unless CC names another."""


TRITON_CAPABILITY, FLASH_CAPABILITY = (7, 0), (8, 0)
"""The oldest CUDA devices that torch.compile's kernels (Volta) and flash-attn (Ampere) are for."""


def require(variant: Variant, device: str, *, timed: bool = True) -> None:
    """Raise UnsupportedError, with the reason, for what cannot run here; needs no model.

    What runs only by emulation is no more to be `timed`, but may be counted.
    """
    for problem in _problems(variant, device):
        raise UnsupportedError(problem)
    for problem in _emulated(variant, device) if timed else ():
        raise UnsupportedError(problem)


def _emulated(variant: Variant, device: str) -> Iterable[str]:
    import torch

    if device != "cpu":
        if variant.dtype == Dtype.BFLOAT16.value:
            with torch.cuda.device(device):
                if not torch.cuda.is_bf16_supported(including_emulation=False):
                    yield f"{device} has no bfloat16 instructions: torch would emulate it"
        return
    checks = {
        Dtype.BFLOAT16.value: torch.ops.mkldnn._is_mkldnn_bf16_supported,  # noqa: SLF001 - torch has no public one
        Dtype.FLOAT16.value: torch.ops.mkldnn._is_mkldnn_fp16_supported,  # noqa: SLF001 - likewise
    }
    onednn = torch.backends.mkldnn.is_available()
    if onednn and variant.dtype in checks and not checks[variant.dtype]():
        yield f"this CPU has no {variant.dtype} instructions: torch would emulate it, far slower"


def _problems(variant: Variant, device: str) -> Iterable[str]:
    yield from _backend_problems(variant, device)
    if variant.attention == Attention.FLASH.value:
        if device == "cpu":
            yield "flash attention runs on CUDA only"
        if importlib.util.find_spec("flash_attn") is None:
            yield "flash attention needs the package flash-attn, which is not installed"
        if variant.dtype not in (Dtype.BFLOAT16.value, Dtype.FLOAT16.value):
            yield f"flash attention runs in bfloat16 or float16, not in {variant.dtype}"
    yield from _cpu_problems(variant) if device == "cpu" else _cuda_problems(variant, device)


def _backend_problems(variant: Variant, device: str) -> Iterable[str]:
    backend = Backend(variant.backend)
    if backend in EXTRAS:
        modules, extra = EXTRAS[backend]
        for module in modules:
            if importlib.util.find_spec(module) is None:
                yield f"{module} is not installed: pip install 'bert-albert-bench[{extra}]'"
        module = modules[0]
        if variant.dtype != Dtype.FLOAT32.value:
            yield f"{module} is run in float32 only, not in {variant.dtype}"
        if device != "cpu":
            yield f"{module} is run on the CPU only, not on {device}"
        if variant.attention != Attention.SDPA.value:
            yield f"models are exported for {module} with sdpa attention, not {variant.attention}"
        if variant.compile != Compile.NONE.value:
            yield f"torch.compile does not apply to {module}"


def _cuda_problems(variant: Variant, device: str) -> Iterable[str]:
    if variant.dtype == Dtype.INT8.value:
        yield f"dynamic int8 quantisation runs on the CPU only, not on {device}"
    if variant.compile != Compile.NONE.value:
        if importlib.util.find_spec("triton") is None:
            yield "torch.compile on CUDA needs the package triton, which is not installed"
        if not any(map(shutil.which, (os.environ.get("CC", ""), *LAUNCHERS))):
            yield "torch.compile on CUDA needs a C compiler: install gcc or clang"
        yield from _too_old(device, TRITON_CAPABILITY, "torch.compile on CUDA")
    if variant.attention == Attention.FLASH.value:
        yield from _too_old(device, FLASH_CAPABILITY, "flash attention")


def _too_old(device: str, needed: tuple[int, int], what: str) -> Iterable[str]:
    import torch

    found = torch.cuda.get_device_capability(device)
    if found < needed:
        had, wanted = (".".join(map(str, one)) for one in (found, needed))
        yield f"{what} needs compute capability {wanted}; {device} has {had}"


def _cpu_problems(variant: Variant) -> Iterable[str]:
    compiler = os.environ.get("CXX") or COMPILERS.get(sys.platform, "g++")
    if variant.compile != Compile.NONE.value and not shutil.which(compiler):
        yield (
            f"torch.compile on the CPU needs a C++ compiler, and there is no {compiler}: install "
            "it, or name another in CXX"
        )
    if variant.compile == Compile.REDUCE_OVERHEAD.value:
        yield "reduce-overhead is CUDA graphs, and this is a CPU"
    if variant.cache == Cache.COLD.value:
        yield "cold-l2 is a mode of CUDA devices"
