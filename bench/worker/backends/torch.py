"""Runs a torch module as it is, quantised, or compiled."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from bench.core.axes import Attention, Compile, Dtype, Variant
from bench.worker.declaration import Declaration, Needs, Recipe
from bench.worker.device import type_of
from bench.worker.engine import Engine, Forward, Inputs, module_outputs
from bench.worker.loading import set_attention

RECOMPILATIONS = 10_000
"""Workloads times models that one process may compile: far more than any plan has."""

COMPILED = "TORCHINDUCTOR_CACHE_DIR"
"""The environment variable that says to torch where to keep what it compiled."""

KERNELS = "TRITON_CACHE_DIR"
"""The same for Triton. The first compilation of a process sets it, for all that follow."""

COMPILERS = {"darwin": "clang++", "win32": "cl"}
"""By system what torch.compile builds its kernels for the CPU with, unless CXX names another; g++
where none is named."""

LAUNCHERS = ("gcc", "clang", "cc")
"""What Triton builds the host's side of its kernels with, unless CC names another."""

TRITON_CAPABILITY, FLASH_CAPABILITY = (7, 0), (8, 0)
"""The oldest CUDA devices that torch.compile's kernels (Volta) and flash-attn (Ampere) are for."""


@dataclass
class TorchEngine(Engine):
    """A torch module, compiled or not."""

    module: Any

    def bind(self, inputs: Inputs) -> Forward:
        module = self.module
        return lambda: module(**inputs)

    def tensors(self, result: Any) -> list[torch.Tensor]:
        return module_outputs(result)


def build(recipe: Recipe) -> TorchEngine:
    """Make the variant of a torch module: its dtype, attention, quantisation and compilation."""
    module: Any = recipe.module
    variant = recipe.variant
    set_attention(module, variant.attention)
    if variant.dtype == Dtype.INT8:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that torchao will replace it
            module = torch.ao.quantization.quantize_dynamic(
                module, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
            )
    else:
        module = module.to(getattr(torch, variant.dtype.value))
    if variant.compile != Compile.NONE:
        # Each workload is compiled for its own sizes, as someone who tunes for one would do: more
        # of them than torch expects of one function; beyond its limit it would run uncompiled.
        limits = torch._dynamo.config  # noqa: SLF001 - it has no other name
        limits.recompile_limit = limits.accumulated_recompile_limit = RECOMPILATIONS
        limits.fail_on_recompile_limit_hit = True
        _start_compiler(module.device)
        module = torch.compile(module, mode=variant.compile.value, dynamic=recipe.sizes_vary)
    return TorchEngine(module)


@cache
def _start_compiler(device: torch.device) -> None:
    """Compile next to nothing: what compiling sets up once per process is no case's own time."""
    with torch.inference_mode():
        torch.compile(torch.sin, dynamic=False)(torch.zeros(8, device=device))


@contextmanager
def compiling(variant: Variant, case: str) -> Iterator[None]:
    """What is compiled within is kept for this case alone, which a later process finds again.

    Otherwise a case would find what it has in common with those before it compiled already, and
    its time would depend on their order.
    """
    if variant.compile == Compile.NONE:
        yield
        return
    # The compiler's own modules take a second to import: only what is compiled pays for them.
    from torch._inductor.runtime.cache_dir_utils import cache_dir
    from torch._inductor.utils import clear_caches

    common, kernels = cache_dir(), os.environ.pop(KERNELS, None)
    clear_caches()
    os.environ[COMPILED] = str(Path(common) / sha256(case.encode()).hexdigest()[:16])
    try:
        yield
    finally:
        os.environ[COMPILED] = common
        os.environ.pop(KERNELS, None)
        if kernels is not None:
            os.environ[KERNELS] = kernels


def _is_flash(variant: Variant, device: str) -> bool:
    del device
    return variant.attention == Attention.FLASH


def _is_compiled_for_cuda(variant: Variant, device: str) -> bool:
    return variant.compile != Compile.NONE and type_of(device) == "cuda"


def refuses(variant: Variant, device: str) -> Iterator[str]:
    """What torch does not run on any such device."""
    on_cpu = type_of(device) == "cpu"
    if _is_flash(variant, device):
        if on_cpu:
            yield "flash attention runs on CUDA only"
        if variant.dtype not in (Dtype.BFLOAT16, Dtype.FLOAT16):
            yield f"flash attention runs in bfloat16 or float16, not in {variant.dtype}"
    if variant.dtype == Dtype.INT8 and not on_cpu:
        yield f"dynamic int8 quantisation runs on the CPU only, not on {device}"
    if variant.compile == Compile.REDUCE_OVERHEAD and on_cpu:
        yield "reduce-overhead is CUDA graphs, and this is a CPU"


def lacks(variant: Variant, device: str) -> Iterator[str]:
    """Compilers that are not there, and devices that are too old."""
    if _is_compiled_for_cuda(variant, device):
        if not any(map(shutil.which, (os.environ.get("CC", ""), *LAUNCHERS))):
            yield "torch.compile on CUDA needs a C compiler: install gcc or clang"
        yield from _too_old(device, TRITON_CAPABILITY, "torch.compile on CUDA")
    elif variant.compile != Compile.NONE:
        compiler = os.environ.get("CXX") or COMPILERS.get(sys.platform, "g++")
        if not shutil.which(compiler):
            yield (
                f"torch.compile on the CPU needs a C++ compiler, and there is no {compiler}: "
                "install it, or name another in CXX"
            )
    if _is_flash(variant, device):
        yield from _too_old(device, FLASH_CAPABILITY, "flash attention")


def _too_old(device: str, needed: tuple[int, int], what: str) -> Iterator[str]:
    found = torch.cuda.get_device_capability(device)
    if found < needed:
        had, wanted = (".".join(map(str, one)) for one in (found, needed))
        yield f"{what} needs compute capability {wanted}; {device} has {had}"


def emulates(variant: Variant, device: str) -> Iterator[str]:
    """Types that the processor or the device has no instructions for."""
    if type_of(device) == "cuda":
        if variant.dtype == Dtype.BFLOAT16:
            with torch.cuda.device(device):
                if not torch.cuda.is_bf16_supported(including_emulation=False):
                    yield f"{device} has no bfloat16 instructions: torch would emulate it"
        return
    checks = {
        Dtype.BFLOAT16: torch.ops.mkldnn._is_mkldnn_bf16_supported,  # noqa: SLF001 - torch has no public one
        Dtype.FLOAT16: torch.ops.mkldnn._is_mkldnn_fp16_supported,  # noqa: SLF001 - likewise
    }
    supported = checks.get(variant.dtype)
    if supported and torch.backends.mkldnn.is_available() and not supported():
        yield f"this CPU has no {variant.dtype} instructions: torch would emulate it, far slower"


BACKEND = Declaration(
    needs=(
        Needs(("flash_attn",), "pip install flash-attn", "flash attention", _is_flash),
        Needs(("triton",), "pip install triton", "torch.compile on CUDA", _is_compiled_for_cuda),
    ),
    devices=("cpu", "cuda"),
    dtypes=tuple(Dtype),
    attentions=tuple(Attention),
    compiles=tuple(Compile),
    own_threads=False,
    build=build,
    refuses=refuses,
    lacks=lacks,
    emulates=emulates,
)
