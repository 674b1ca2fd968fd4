"""Converts a module with OpenVINO and runs it there."""

from __future__ import annotations

import sys
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
class OpenVinoEngine(Engine):
    """An OpenVINO request, which runs one forward at a time."""

    request: Any

    def bind(self, inputs: Inputs) -> Forward:
        request = self.request
        feed = arrays(inputs, {name for port in request.model_inputs for name in port.names})
        return lambda: request.infer(feed, share_inputs=True, share_outputs=True)

    def tensors(self, result: Any) -> list[torch.Tensor]:
        return [torch.from_numpy(result[i].copy()) for i in range(len(result))]


def _keep_openvino_quiet() -> None:
    """Its converter reports each use over the network, unless that part of it is not there."""
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)


def build(recipe: Recipe) -> OpenVinoEngine:
    """Convert with OpenVINO's own front end, tuned for the latency of one request."""
    _keep_openvino_quiet()
    import openvino  # the extra is not always installed, and must be kept quiet before

    set_attention(recipe.module, Attention.SDPA)
    model = openvino.convert_model(
        TupleModule(recipe.module).eval(),
        example_input=(recipe.example["input_ids"], recipe.example["attention_mask"]),
    )
    names = ("input_ids", "attention_mask")
    for port, name in zip(model.inputs, names, strict=True):
        port.get_tensor().set_names({name})
    hints = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": recipe.threads,
        # Other precisions are variants of their own.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()
    engine = OpenVinoEngine(request)
    with tempfile.TemporaryDirectory() as place:
        openvino.save_model(model, Path(place) / "model.xml", compress_to_fp16=False)
        engine.facts["artifact_bytes"] = bytes_in(place)
    return engine


BACKEND = Declaration(
    needs=(Needs(("openvino",), "pip install 'bert-albert-bench[openvino]'"),),
    devices=("cpu",),
    dtypes=(Dtype.FLOAT32,),
    attentions=(Attention.SDPA,),
    compiles=(Compile.NONE,),
    own_threads=True,
    slow_switch=True,  # by 2-3 % when measured
    build=build,
)
