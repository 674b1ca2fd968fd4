"""Exports a module with torch.onnx and runs it in ONNX Runtime."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.axes import Attention
from bench.worker.engine import Engine, Forward, Inputs, _arrays, _Plain
from bench.worker.loading import set_attention

if TYPE_CHECKING:
    import torch


@dataclass
class OnnxEngine(Engine):
    """An ONNX Runtime session; it takes and gives numpy arrays."""

    session: Any

    def bind(self, inputs: Inputs) -> Forward:
        """See Engine."""
        session = self.session
        feed = _arrays(inputs, {one.name for one in session.get_inputs()})
        return lambda: session.run(None, feed)

    def tensors(self, result: Any) -> list[torch.Tensor]:
        """See Engine."""
        import torch

        return [torch.from_numpy(array) for array in result]


def make_onnxruntime(module: Any, example: Inputs, threads: int) -> OnnxEngine:
    """Export with torch.onnx and load the file; its size is that of all its parts on disk."""
    import onnxruntime
    import torch

    set_attention(module, Attention.SDPA.value)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    sizes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("tokens", min=2)}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        torch.onnx.export(
            _Plain(module).eval(),
            (example["input_ids"], example["attention_mask"]),
            path,
            input_names=["input_ids", "attention_mask"],
            dynamic_shapes=(sizes, sizes),
            dynamo=True,
            verbose=False,
        )
        size = sum(file.stat().st_size for file in Path(place).iterdir())
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    engine = OnnxEngine(session)
    engine.facts["artifact_bytes"] = float(size)
    return engine
