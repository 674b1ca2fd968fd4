"""Checks a checkpoint's files without torch: config, safetensors header, hashes."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.core.errors import DamagedError, UnusableError

CONFIG = "config.json"

# fmt: off
ENCODERS = frozenset((
    "albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta",
    "deberta-v2", "distilbert", "electra", "ernie", "esm", "eurobert", "fnet", "funnel", "ibert",
    "longformer", "luke", "megatron-bert", "mobilebert", "modernbert", "mpnet", "mra",
    "nomic_bert", "nystromformer", "rembert", "roberta", "roberta-prelayernorm", "roc_bert",
    "roformer", "splinter", "squeezebert", "xlm-roberta", "xlm-roberta-xl", "xmod", "yoso",
))
# fmt: on
"""The `model_type`s of text encoders in transformers: read a text once, both ways."""

MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors format; with a longer one the file is something else."""

ELEMENT_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "I16": 16, "U16": 16, "F16": 16,
    "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
}  # fmt: skip

Shapes = Mapping[str, tuple[int, ...]]


def read_config(directory: Path) -> dict[str, Any]:
    """Read the checkpoint's `config.json`, checked to be that of a text encoder."""
    path = directory / CONFIG
    if not path.is_file():
        raise UnusableError(f"{directory} has no {CONFIG}: give the directory of a checkpoint")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedError(path, f"is not JSON ({error})") from None
    if not isinstance(config, dict):
        raise DamagedError(path, "is not a JSON object")
    if problem := _not_an_encoder(config):
        raise UnusableError(f"{path} describes {problem}; only text encoders are benchmarked")
    return config


def _not_an_encoder(config: Mapping[str, Any]) -> str:
    """Say what the config describes instead of a text encoder; empty for an encoder."""
    kind = config.get("model_type")
    heads = [str(a) for a in config.get("architectures") or ()]
    if kind in ENCODERS and not config.get("is_decoder") and not config.get("is_encoder_decoder"):
        return ""
    if config.get("is_encoder_decoder"):
        return f"an encoder-decoder (model_type {kind!r})"
    if config.get("is_decoder") or any(h.endswith(("CausalLM", "LMHeadModel")) for h in heads):
        return f"a decoder-only model (model_type {kind!r})"
    if config.get("auto_map"):
        return f"a model that brings its own code, which is never run (model_type {kind!r})"
    return f"an architecture that is not known here (model_type {kind!r})"


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a safetensors file's tensors, from its header.

    Raises DamagedError unless the header is sound and the file exactly as long as it promises.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= MAX_HEADER_BYTES:
            raise DamagedError(path, f"is no safetensors file: a header of {length} bytes")
        text = stream.read(length)
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        shapes = {name: tuple(map(int, t["shape"])) for name, t in header.items()}
        ends = [int(t["data_offsets"][1]) for t in header.values()]
        promised = sum(math.prod(shapes[n]) * ELEMENT_BITS[t["dtype"]] for n, t in header.items())
    except (ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        short = " ".join(str(error).split())[:80]
        raise DamagedError(path, f"has a corrupted safetensors header ({short})") from None
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise DamagedError(path, f"is {size} bytes long where its header promises {expected}")
    if max(ends, default=0) != promised // 8:
        raise DamagedError(path, "has a corrupted safetensors header (sizes do not add up)")
    return shapes


def check_shapes(directory: Path, config: Mapping[str, Any], shapes: Shapes) -> None:
    """Compare the word embeddings with the config: weights of another model show there first."""
    if not shapes:
        raise UnusableError(f"{directory} has weights without a single tensor")
    width = config.get("embedding_size", config.get("hidden_size", config.get("dim")))
    expected = (config.get("vocab_size"), width)
    for name, shape in shapes.items():
        if not name.endswith("embeddings.word_embeddings.weight") or None in expected:
            continue
        if shape != expected:
            raise UnusableError(
                f"{directory} has weights that do not fit its {CONFIG}: "
                f"{name} is {list(shape)}, the config says {list(expected)}"
            )


def check_hash(path: Path) -> str | None:
    """Return the file's hash where the hub's cache knows which it should be, else None.

    The cache names its blobs by the hash that the hub announced: sha256, or git's sha1 for small
    files. Raises DamagedError where the content has another.
    """
    announced = path.readlink().name if path.is_symlink() else ""
    if re.fullmatch("[0-9a-f]{64}", announced):
        found = sha256([path])
    elif re.fullmatch("[0-9a-f]{40}", announced):
        data = path.read_bytes()
        blob = b"blob %d\0" % len(data) + data
        found = hashlib.sha1(blob, usedforsecurity=False).hexdigest()
    else:
        return None
    if found != announced:
        raise DamagedError(path, f"has the hash {found[:12]}, the hub announced {announced[:12]}")
    return found


def sha256(files: list[Path]) -> str:
    """Take the sha256 over these files, one after the other."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
