"""Runs a torch module as it is, quantised, or compiled."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.axes import Compile, Dtype, Variant
from bench.worker.engine import Engine, Forward, Inputs, module_outputs
from bench.worker.loading import set_attention

if TYPE_CHECKING:
    import torch


RECOMPILATIONS = 10_000
"""Workloads times models that one process may compile: far more than any plan has."""


COMPILED = "TORCHINDUCTOR_CACHE_DIR"
"""The environment variable that tells torch where to keep what it compiled."""


@dataclass
class TorchEngine(Engine):
    """A torch module, compiled or not."""

    module: Any

    def bind(self, inputs: Inputs) -> Forward:
        """See Engine."""
        module = self.module
        return lambda: module(**inputs)

    def tensors(self, result: Any) -> list[torch.Tensor]:
        """See Engine."""
        return module_outputs(result)


def make_torch(module: Any, variant: Variant, *, sizes_vary: bool) -> TorchEngine:
    """Make the variant of a torch module: its dtype, attention, quantisation and compilation."""
    import torch

    set_attention(module, variant.attention)
    if variant.dtype == Dtype.INT8.value:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that torchao will replace it
            module = torch.ao.quantization.quantize_dynamic(
                module, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
            )
    else:
        module = module.to(getattr(torch, variant.dtype))
    if variant.compile != Compile.NONE.value:
        # Each workload is compiled for its own sizes, as someone who tunes for one would do: more
        # of them than torch expects of one function; beyond its limit it would run uncompiled.
        limits = torch._dynamo.config  # noqa: SLF001 - it has no other name
        limits.recompile_limit = limits.accumulated_recompile_limit = RECOMPILATIONS
        limits.fail_on_recompile_limit_hit = True
        _start_compiler(module.device)
        module = torch.compile(module, mode=variant.compile, dynamic=sizes_vary)
    return TorchEngine(module)


@cache
def _start_compiler(device: torch.device) -> None:
    """Compile next to nothing: what compiling sets up once per process is no case's own time."""
    import torch

    with torch.inference_mode():
        torch.compile(torch.sin, dynamic=False)(torch.zeros(8, device=device))


@contextmanager
def compiling(variant: Variant, case: str) -> Iterator[None]:
    """What is compiled within is kept for this case alone, which a later process finds again.

    Otherwise a case would find what it has in common with those before it compiled already, and
    its time would depend on their order.
    """
    if variant.compile == Compile.NONE.value:
        yield
        return
    from torch._inductor.runtime.cache_dir_utils import cache_dir
    from torch._inductor.utils import clear_caches

    common = cache_dir()
    clear_caches()
    os.environ[COMPILED] = str(Path(common) / sha256(case.encode()).hexdigest()[:16])
    try:
        yield
    finally:
        os.environ[COMPILED] = common
