"""Checkpoints the tests make: tiny ones, and full-size ones laid out as the published files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import sentencepiece
import torch
import transformers
from safetensors.torch import save_file

from suites.models import ALBERT_BASE, BERT_BASE

SENTENCES = (
    "The capital of France is Paris.",
    "The quick brown fox jumps over the lazy dog.",
    "A benchmark without its interval is an anecdote.",
    "Two models, one machine, one question: which should I use?",
)
TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def make_tiny(directory: Path, kind: str, **config: object) -> Path:
    """Write a tiny `bert` or `albert` with its tokenizer; returns the directory."""
    vocab_size = make_tokenizer(directory, kind)
    sizes = {**TINY, **({"embedding_size": 8} if kind == "albert" else {}), **config}
    made = transformers.AutoConfig.for_model(kind, vocab_size=vocab_size, **sizes)
    return _write(directory, made, drop=())


def make_full_size(directory: Path, kind: str) -> Path:
    """Write a checkpoint of the size and key layout of the real base model, with random weights."""
    make_tokenizer(directory, kind)
    arch = BERT_BASE if kind == "bert" else ALBERT_BASE
    sizes = {} if kind == "bert" else {"embedding_size": 128, "num_hidden_groups": 1}
    made = transformers.AutoConfig.for_model(
        kind,
        vocab_size=arch.vocab_size,
        hidden_size=arch.hidden_size,
        num_hidden_layers=arch.layers,
        num_attention_heads=arch.heads,
        intermediate_size=arch.intermediate_size,
        hidden_act=arch.activation,
        **sizes,
        **arch.config,
    )
    return _write(directory, made, drop=("sop_classifier.",))


def _write(directory: Path, config: transformers.PretrainedConfig, drop: tuple[str, ...]) -> Path:
    """Write config and weights as the real repositories have them: a pre-training checkpoint."""
    kind = config.model_type
    name = {"bert": "BertForPreTraining", "albert": "AlbertForPreTraining"}[kind]
    config.architectures = [name.replace("PreTraining", "MaskedLM")]
    config.save_pretrained(directory)
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in getattr(transformers, name)(config).state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for key, shape in shapes.items():
        tied = key.endswith("decoder.weight") or key == "cls.predictions.decoder.bias"
        if tied or key.endswith(("position_ids", "token_type_ids")) or key.startswith(drop):
            continue
        if "LayerNorm.weight" in key or "layer_layer_norm.weight" in key:
            weights[_published(key, kind)] = torch.ones(shape)
        else:
            weights[_published(key, kind)] = 0.02 * torch.randn(shape, generator=generator)
    if "predictions.decoder.bias" in weights:
        weights["predictions.decoder.bias"] = weights["predictions.bias"].clone()
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def _published(key: str, kind: str) -> str:
    """Name a tensor as the published file does: BERT's keeps TensorFlow's gamma and beta."""
    if kind != "bert":
        return key
    return key.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta"
    )


def make_tokenizer(directory: Path, kind: str) -> int:
    """Write a small tokenizer of the model's own kind; returns its vocabulary's size."""
    directory.mkdir(parents=True, exist_ok=True)
    return {"bert": _word_piece, "albert": _sentence_piece}[kind](directory)


def _word_piece(directory: Path) -> int:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = sorted({w for s in SENTENCES for w in "".join(_letters(s.lower())).split()})
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    pieces = [*special, *".,?!'", *letters, *(f"##{c}" for c in letters), *words]
    vocab = list(dict.fromkeys(pieces))
    (directory / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    transformers.BertTokenizerFast(str(directory / "vocab.txt")).save_pretrained(directory)
    return len(vocab)


def _letters(text: str) -> Iterator[str]:
    return (c if c.isalpha() else " " for c in text)


def _sentence_piece(directory: Path) -> int:
    prefix = directory / "spiece"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_prefix=str(prefix),
        vocab_size=80,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        minloglevel=2,
    )
    prefix.with_suffix(".vocab").unlink()
    model = sentencepiece.SentencePieceProcessor(str(prefix.with_suffix(".model")))
    vocab = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.vocab_size())]
    transformers.AlbertTokenizer(vocab=vocab).save_pretrained(directory)
    return len(vocab)
