"""Turns a model's name into a torch module and its inputs: the only place that knows how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from bench.core.architecture import Architecture, Model, config_arguments
from bench.core.axes import Attention, Head, Variant
from bench.core.case import Workload
from bench.core.errors import BenchError, UnsupportedError

CLASSES = {
    Head.FEATURES: "AutoModel",
    Head.MASKED_LM: "AutoModelForMaskedLM",
    Head.SEQUENCE: "AutoModelForSequenceClassification",
    Head.TOKEN: "AutoModelForTokenClassification",
    Head.QUESTION: "AutoModelForQuestionAnswering",
}
"""What transformers calls a model with each head."""
ATTENTIONS = {Attention.FLASH: "flash_attention_2"}
"""What transformers calls the attentions that it names otherwise."""
MODEL_SEED = 0
"""Random weights are the same in every process, so that exact figures can be compared."""


def load(
    model: Model, variant: Variant, directory: Path | None, device: str, *, random: bool
) -> torch.nn.Module:
    """The model with the variant's head, in inference mode, on `device`.

    Its dtype and attention are the variant's; the rest of a variant is made of it by
    `bench.worker.backends`. From the checkpoint in `directory` (safetensors only, no code from
    it), or with seeded random weights: its config from `directory`, or without one from the
    architecture's published facts.
    Raises BenchError when there is neither.
    """
    factory = getattr(transformers, CLASSES[variant.head])
    dtype = getattr(torch, variant.dtype.value)
    torch.manual_seed(MODEL_SEED)
    if random:
        if directory is not None:
            config = AutoConfig.from_pretrained(directory, trust_remote_code=False, **model.config)
        elif model.architecture is not None:
            config = build_config(model.architecture)
        else:
            raise BenchError(f"{model.name} has no known architecture and no checkpoint")
        module = factory.from_config(config, dtype=dtype)
    else:
        if directory is None:
            raise BenchError(f"{model.name} has no checkpoint to load")
        module, info = factory.from_pretrained(
            directory,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=dtype,
            ignore_mismatched_sizes=True,  # reported in one line below, not in a table
            output_loading_info=True,
            **model.config,
        )
        if variant.head != Head.FEATURES:
            # A head that the checkpoint lacks is made with the seed; the encoder never is.
            encoder = f"{module.base_model_prefix}."
            info["missing_keys"] = [k for k in info["missing_keys"] if k.startswith(encoder)]
        check_complete(model, info)
    set_attention(module, variant.attention)
    return module.eval().to(device)  # type: ignore[no-any-return]


def set_attention(module: Any, attention: Attention) -> None:
    """Set it; raises UnsupportedError where the architecture has none of that kind.

    transformers refuses some and only logs others, and runs what it has.
    """
    wanted = ATTENTIONS.get(attention, attention.value)
    with suppress(ValueError):
        module.set_attn_implementation(wanted)
    if module.config._attn_implementation != wanted:  # noqa: SLF001 - it has no public getter
        raise UnsupportedError(
            f"transformers has no {attention} attention for {module.config.model_type}: "
            f"give --attention {Attention.EAGER}"
        )


def check_complete(model: Model, info: Mapping[str, Any]) -> None:
    """Raise BenchError unless every weight came from the checkpoint.

    transformers makes up what is missing or does not fit, and only logs it; a benchmark of
    `pretrained` weights must not contain a made-up one.
    """
    misfits = sorted(info["mismatched_keys"])
    if misfits:
        name, stored, needed = misfits[0]
        raise BenchError(
            f"the checkpoint of {model.name} does not fit its config: {name} is "
            f"{list(stored)}, the architecture needs {list(needed)}{_more(misfits)}"
        )
    missing = sorted(info["missing_keys"])
    if missing:
        raise BenchError(
            f"the checkpoint of {model.name} lacks {missing[0]}{_more(missing)}, which would be "
            "random; take a checkpoint of the whole encoder, or --weights random"
        )
    if info["error_msgs"]:
        raise BenchError(
            f"the checkpoint of {model.name} cannot be loaded: {info['error_msgs'][0]}"
        )


def _more(found: Sequence[object]) -> str:
    return f" (and {len(found) - 1} more)" if len(found) > 1 else ""


def import_model_code(model: Model, directory: Path | None) -> None:
    """Import the model's module, so that loading it is not charged with importing code."""
    if directory is not None:
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    elif model.architecture is not None:
        config = build_config(model.architecture)
    else:
        return
    MODEL_MAPPING.get(type(config), None)


def build_config(arch: Architecture) -> Any:
    """The transformers config of an architecture (its class comes from `model_type`)."""
    return AutoConfig.for_model(arch.model_type, **config_arguments(arch))


def bind(
    module: torch.nn.Module, workload: Workload, device: str, seed: int
) -> Callable[[], object]:
    """A call of no arguments that runs one forward."""
    inputs = make_inputs(module, workload, device, seed)
    return lambda: module(**inputs)


def make_inputs(
    module: torch.nn.Module, workload: Workload, device: str, seed: int
) -> dict[str, torch.Tensor]:
    """Token ids and an all-ones mask, int64 of shape (batch_size, seq_len), drawn with `seed`.

    The values do not change the work: every token is looked up, attended to and transformed.
    """
    config: Any = module.config
    generator = torch.Generator().manual_seed(seed)
    shape = (workload.batch_size, workload.seq_len)
    ids = torch.randint(0, int(config.vocab_size), shape, generator=generator)
    return {"input_ids": ids.to(device), "attention_mask": torch.ones_like(ids).to(device)}
