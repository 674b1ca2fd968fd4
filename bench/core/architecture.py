"""Published facts of encoders, enough to build them without a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class Weights(str, Enum):
    """Where weights come from: asked for (`auto` too) and, in results, what was really used."""

    AUTO = "auto"
    PRETRAINED = "pretrained"
    RANDOM = "random"


@dataclass(frozen=True)
class Architecture:
    """Published facts of an encoder, enough to build it without a checkpoint.

    Sizes are counts (tokens, units, layers). `distinct_layers` is how many of the `layers`
    applications have weights of their own: ALBERT has 1. Source: the models' `config.json`.
    """

    model_type: str
    vocab_size: int
    embedding_size: int
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    activation: str = "gelu"
    distinct_layers: int | None = None
    max_tokens: int = 512
    pooler: bool = True
    config: Mapping[str, object] = field(default_factory=dict, hash=False)
    """Arguments of the transformers config that the facts above do not name."""

    @property
    def shares_layers(self) -> bool:
        """Whether one stored layer is applied several times."""
        return (self.distinct_layers or self.layers) < self.layers

    @property
    def projects_embeddings(self) -> bool:
        """Whether embeddings are projected to the hidden size; ALBERT's are, also of equal size."""
        return self.embedding_size != self.hidden_size or self.model_type == "albert"


@dataclass(frozen=True)
class Model:
    """One model to measure, by the name that stands in every result row.

    `source` is a hub id or a local directory; `architecture` is None for a model that is known
    only from its checkpoint, which then cannot be built with random weights.
    """

    name: str
    source: str
    architecture: Architecture | None = None
    revision: str | None = None
    config: Mapping[str, object] = field(default_factory=dict, hash=False)
    """Values that replace those of the checkpoint's config: the same weights, run otherwise."""

    @property
    def is_directory(self) -> bool:
        """Whether `source` is a path (ids on the hub never start with one of these)."""
        return self.source.startswith((".", "/", "~")) or "\\" in self.source


NARROW = ("albert", "electra")
"""Types whose embeddings have a width of their own, which is 128 where none is given."""


def config_arguments(arch: Architecture) -> dict[str, object]:
    """What the config of an architecture is made from, by transformers' names."""
    arguments: dict[str, object] = {
        "vocab_size": arch.vocab_size,
        "hidden_size": arch.hidden_size,
        "num_hidden_layers": arch.layers,
        "num_attention_heads": arch.heads,
        "intermediate_size": arch.intermediate_size,
        "hidden_act": arch.activation,
        "max_position_embeddings": arch.max_tokens,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
    }
    if arch.projects_embeddings or arch.model_type in NARROW:
        arguments["embedding_size"] = arch.embedding_size
    if arch.distinct_layers is not None:
        arguments["num_hidden_groups"] = arch.distinct_layers
    return {**arguments, **arch.config}
