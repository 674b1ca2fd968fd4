"""Turns a loaded float32 module into the variant to be timed: the only place that knows how.

Every variant is made from the same weights in the same way, so that its output can be compared
with what the module gave before. What this machine cannot run raises UnsupportedError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Inputs = Mapping[str, "torch.Tensor"]
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


def _arrays(inputs: Inputs, names: Collection[str]) -> dict[str, Any]:
    """What an exported model takes of the inputs, as numpy arrays."""
    return {name: value.cpu().numpy() for name, value in inputs.items() if name in names}


def module_outputs(result: Any) -> list[torch.Tensor]:
    """The tensors of a transformers output, in its order."""
    import torch

    return [value for value in result.to_tuple() if isinstance(value, torch.Tensor)]


class _Plain:
    """Makes a module that takes two tensors and gives a tuple, which is what exporters trace."""

    def __new__(cls, module: Any) -> Any:
        """The wrapper is a torch module; torch is imported only where one is made."""
        import torch

        class Plain(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = module

            def forward(self, input_ids: Any, attention_mask: Any) -> Any:
                return tuple(module_outputs(self.inner(input_ids, attention_mask)))

        return Plain()
