"""A model of one's own under the gate: `bench check --against main --model gate_model:make`."""

import torch


def make() -> tuple[torch.nn.Module, tuple[torch.Tensor]]:
    """A module and its inputs: what `bench check` times on both sides, each with its own code."""
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)
    module = torch.nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
    return module, (torch.randn(1, 128, 256),)
