"""Turns a loaded float32 module into the variant to be timed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.core.axes import Variant
from bench.worker.backends.onnxruntime import make_onnxruntime
from bench.worker.backends.openvino import make_openvino
from bench.worker.backends.torch import make_torch
from bench.worker.engine import Engine, Inputs
from bench.worker.support import require

if TYPE_CHECKING:
    import torch


def build(
    module: torch.nn.Module,
    variant: Variant,
    device: str,
    example: Inputs,
    *,
    threads: int,
    sizes_vary: bool = False,
) -> Engine:
    """Make the engine of a variant from a float32 module, which is changed or used up by it.

    `example` are inputs to export a graph with; its sizes stay free. `threads` are those of an
    engine that does not ask torch for them. `sizes_vary` says that inputs to come have many
    lengths, for which torch.compile makes code of free sizes as well.
    """
    require(variant, device)
    match variant.backend:
        case "onnxruntime":
            return make_onnxruntime(module, example, threads)
        case "openvino":
            return make_openvino(module, example, threads)
    return make_torch(module, variant, sizes_vary=sizes_vary)
