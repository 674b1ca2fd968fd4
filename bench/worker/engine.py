"""Something that runs forwards of one variant, and what exporters of a module have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

Inputs = Mapping[str, torch.Tensor]
Forward = Callable[[], Any]


@dataclass
class Engine(ABC):
    """Something that runs forwards; `facts` are metrics of making it, such as a file's size."""

    facts: dict[str, float] = field(default_factory=dict, init=False)

    @abstractmethod
    def bind(self, inputs: Inputs) -> Forward:
        """A forward over these inputs, which are brought into the engine's own form here."""

    @abstractmethod
    def tensors(self, result: Any) -> list[torch.Tensor]:
        """What a forward returned, as tensors of shape (batch, ...), in the model's order."""


def arrays(inputs: Inputs, names: Collection[str]) -> dict[str, Any]:
    """What an exported model takes of the inputs, as numpy arrays."""
    return {name: value.cpu().numpy() for name, value in inputs.items() if name in names}


def bytes_in(directory: str) -> float:
    """Size of all files of an exported model, in bytes."""
    return float(sum(file.stat().st_size for file in Path(directory).iterdir()))


def module_outputs(result: Any) -> list[torch.Tensor]:
    """The tensors of a transformers output, in its order."""
    return [value for value in result.to_tuple() if isinstance(value, torch.Tensor)]


class TupleModule(torch.nn.Module):
    """A module that takes two tensors and gives a tuple, which is what exporters trace."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.inner = module

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """Run the module on token ids and mask, both of shape (batch, tokens)."""
        return tuple(module_outputs(self.inner(input_ids, attention_mask)))
