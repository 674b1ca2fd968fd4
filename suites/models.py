"""The models that can be measured by name, with the published facts of their architecture."""

from __future__ import annotations

from bench.spec import Architecture, Model

BERT_BASE = Architecture(
    model_type="bert",
    vocab_size=30522,
    embedding_size=768,
    hidden_size=768,
    layers=12,
    heads=12,
    intermediate_size=3072,
    activation="gelu",
)

ALBERT_BASE = Architecture(
    model_type="albert",
    vocab_size=30000,
    embedding_size=128,
    hidden_size=768,
    layers=12,
    heads=12,
    intermediate_size=3072,
    activation="gelu_new",
    distinct_layers=1,
    config={"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
)

# fmt: off
MODELS = (
    Model("bert-base-uncased", "google-bert/bert-base-uncased", BERT_BASE, revision="86b5e0934494bd15c9632b12f734a8a67f723594"),
    Model("albert-base-v2", "albert/albert-base-v2", ALBERT_BASE, revision="8e2f239c5f8a2c0f253781ca60135db913e5c80c"),
)
# fmt: on

DEFAULT_MODELS = ("bert-base-uncased", "albert-base-v2")
"""Measured when no `--model` is given; the first is the reference of every ratio."""
