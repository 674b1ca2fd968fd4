"""Converts a module with OpenVINO and runs it there."""

from __future__ import annotations

import sys
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
class OpenVinoEngine(Engine):
    """An OpenVINO request, which runs one forward at a time."""

    request: Any

    def bind(self, inputs: Inputs) -> Forward:
        """See Engine."""
        request = self.request
        feed = _arrays(inputs, {name for port in request.model_inputs for name in port.names})
        return lambda: request.infer(feed, share_inputs=True, share_outputs=True)

    def tensors(self, result: Any) -> list[torch.Tensor]:
        """See Engine."""
        import torch

        return [torch.from_numpy(result[i].copy()) for i in range(len(result))]


def _keep_openvino_quiet() -> None:
    """Its converter reports each use over the network, unless that part of it is not there."""
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)


def make_openvino(module: Any, example: Inputs, threads: int) -> OpenVinoEngine:
    """Convert with OpenVINO's own front end, tuned for the latency of one request."""
    _keep_openvino_quiet()
    import openvino

    set_attention(module, Attention.SDPA.value)
    model = openvino.convert_model(
        _Plain(module).eval(),
        example_input=(example["input_ids"], example["attention_mask"]),
    )
    names = ("input_ids", "attention_mask")
    for port, name in zip(model.inputs, names, strict=True):
        port.get_tensor().set_names({name})
    hints = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # Other precisions are variants of their own.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(model, "CPU", hints).create_infer_request()
    engine = OpenVinoEngine(request)
    with tempfile.TemporaryDirectory() as place:
        openvino.save_model(model, Path(place) / "model.xml", compress_to_fp16=False)
        engine.facts["artifact_bytes"] = float(
            sum(file.stat().st_size for file in Path(place).iterdir())
        )
    return engine
