"""The models that can be measured by name, with the published facts of their architecture."""

from __future__ import annotations

from dataclasses import replace

from bench.core.architecture import Architecture, Model

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


def bert(hidden: int, layers: int, heads: int) -> Architecture:
    """A BERT of another size: its feed-forward is four times as wide as its hidden states."""
    return replace(
        BERT_BASE,
        embedding_size=hidden,
        hidden_size=hidden,
        layers=layers,
        heads=heads,
        intermediate_size=4 * hidden,
    )


def albert(hidden: int, layers: int, heads: int) -> Architecture:
    """An ALBERT of another size: embeddings stay 128 wide, and one layer is applied each time."""
    return replace(
        ALBERT_BASE, hidden_size=hidden, layers=layers, heads=heads, intermediate_size=4 * hidden
    )


ROBERTA_BASE = replace(
    BERT_BASE,
    model_type="roberta",
    vocab_size=50265,
    config={"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
)
DISTILBERT_BASE = replace(
    BERT_BASE,
    model_type="distilbert",
    layers=6,
    pooler=False,
    config={"dim": 768, "hidden_dim": 3072, "n_layers": 6, "n_heads": 12, "activation": "gelu"},
)
FUSED = "gelu_pytorch_tanh"
"""The function of ALBERT's gelu_new (the tanh approximation), as one operator instead of eight."""

# fmt: off
MODELS = (
    Model("bert-base-uncased", "google-bert/bert-base-uncased", BERT_BASE, revision="86b5e0934494bd15c9632b12f734a8a67f723594"),
    Model("albert-base-v2", "albert/albert-base-v2", ALBERT_BASE, revision="8e2f239c5f8a2c0f253781ca60135db913e5c80c"),
    Model("albert-base-v2-fused", "albert/albert-base-v2", replace(ALBERT_BASE, activation=FUSED), revision="8e2f239c5f8a2c0f253781ca60135db913e5c80c", config={"hidden_act": FUSED}),
    Model("bert-tiny", "google/bert_uncased_L-2_H-128_A-2", bert(128, 2, 2)),
    Model("bert-mini", "google/bert_uncased_L-4_H-256_A-4", bert(256, 4, 4)),
    Model("bert-small", "google/bert_uncased_L-4_H-512_A-8", bert(512, 4, 8)),
    Model("bert-medium", "google/bert_uncased_L-8_H-512_A-8", bert(512, 8, 8)),
    Model("bert-large-uncased", "google-bert/bert-large-uncased", bert(1024, 24, 16)),
    Model("albert-large-v2", "albert/albert-large-v2", albert(1024, 24, 16)),
    Model("albert-xlarge-v2", "albert/albert-xlarge-v2", albert(2048, 24, 16)),
    Model("albert-xxlarge-v2", "albert/albert-xxlarge-v2", albert(4096, 12, 64)),
    Model("distilbert-base-uncased", "distilbert/distilbert-base-uncased", DISTILBERT_BASE),
    Model("roberta-base", "FacebookAI/roberta-base", ROBERTA_BASE),
)
# fmt: on

DEFAULT_MODELS = ("bert-base-uncased", "albert-base-v2")
"""Measured when no `--model` is given; the first is the reference of every ratio."""
