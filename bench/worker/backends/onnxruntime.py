"""Exports a module with torch.onnx and runs it in ONNX Runtime."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.core.axes import Attention, Compile, Dtype
from bench.worker.declaration import Declaration, Needs, Recipe
from bench.worker.engine import Engine, Forward, Inputs, TupleModule, arrays, bytes_in
from bench.worker.loading import set_attention


@dataclass
class OnnxEngine(Engine):
    """An ONNX Runtime session; it takes and gives numpy arrays."""

    session: Any

    def bind(self, inputs: Inputs) -> Forward:
        session = self.session
        feed = arrays(inputs, {one.name for one in session.get_inputs()})
        return lambda: session.run(None, feed)

    def tensors(self, result: Any) -> list[torch.Tensor]:
        return [torch.from_numpy(array) for array in result]


def build(recipe: Recipe) -> OnnxEngine:
    """Export with torch.onnx and load the file; its size is that of all its parts on disk."""
    import onnxruntime  # the extra is not always installed

    set_attention(recipe.module, Attention.SDPA)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = recipe.threads
    options.inter_op_num_threads = 1
    sizes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("tokens", min=2)}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        torch.onnx.export(
            TupleModule(recipe.module).eval(),
            (recipe.example["input_ids"], recipe.example["attention_mask"]),
            path,
            input_names=["input_ids", "attention_mask"],
            dynamic_shapes=(sizes, sizes),
            dynamo=True,
            verbose=False,
        )
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        engine = OnnxEngine(session)
        engine.facts["artifact_bytes"] = bytes_in(place)
    return engine


BACKEND = Declaration(
    needs=(Needs(("onnxruntime", "onnx", "onnxscript"), "pip install 'bert-albert-bench[onnx]'"),),
    devices=("cpu",),
    dtypes=(Dtype.FLOAT32,),
    attentions=(Attention.SDPA,),
    compiles=(Compile.NONE,),
    own_threads=True,
    slow_switch=True,  # by 5 % when measured
    build=build,
)
