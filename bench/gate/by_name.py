"""Loads a model of this tree by name: all that the gate of another tree asks of this one.

`bench check` compares two trees, and runs the code of the one it is started from. Its name and its
arguments never change, so that trees of different ages can be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.core.axes import Attention, Dtype, Variant
from bench.plan.registry import pick_models
from bench.worker.loading import load as load_model

if TYPE_CHECKING:
    import torch


def load(name: str, dtype: str, attention: str, device: str) -> torch.nn.Module:
    """The model called `name` (registry, directory or hub id), with seeded random weights.

    In inference mode, on `device`. Raises BenchError for an unknown name.
    """
    model = pick_models([name])[0]
    return load_model(model, Variant(Dtype(dtype), Attention(attention)), None, device, random=True)
