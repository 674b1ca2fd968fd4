"""Proves that the right weights are loaded, and shows them at work on two sentences."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from bench.core.axes import Attention
from bench.core.case import Case
from bench.core.errors import BenchError
from bench.core.events import Verified
from bench.worker.loading import make_inputs
from bench.worker.session import Session

SENTENCES = (
    "The capital of France is {mask}.",
    "She opened the {mask} and began to read.",
)
SHOWN = 5
"""Predictions shown for each sentence."""


def measure(session: Session) -> None:
    """Verify the model of every case, and report its predictions as a `verified` event."""
    for case in session.job.cases:
        session.begin([case])
        try:
            compare_with_plain(session, case)
            predictions = fill_masks(session.directory(case), case.device)
        except Exception as error:  # noqa: BLE001 - whatever a model raises becomes its reason
            session.failed([case], error)
            continue
        session.emit(Verified(case.id, tuple(predictions)))


def compare_with_plain(session: Session, case: Case) -> None:
    """Raise BenchError unless our model's output is that of the plain transformers call.

    To the last bit, on the same device: both run the same operators on the same weights.
    """
    plain = AutoModel.from_pretrained(
        session.directory(case),
        dtype=getattr(torch, case.variant.dtype.value),
        use_safetensors=True,
        trust_remote_code=False,
        **session.named(case.model)[0].config,
    )
    inputs = make_inputs(plain, case.workload, case.device, session.job.seed)
    theirs = output(plain.eval().to(case.device), inputs)
    # Some architectures have no other attention than eager: the plain call knows.
    attention = plain.config._attn_implementation  # noqa: SLF001 - it has no public getter
    del plain
    gc.collect()  # one model in memory at a time
    module = session.load(case, replace(case.variant, attention=Attention(attention)))
    ours = output(module, inputs)
    check_same(case.model, ours, theirs)


def check_same(model: str, ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Raise BenchError unless both outputs are numbers, and the same ones to the last bit."""
    if ours.isnan().any() or not torch.equal(ours, theirs):
        raise BenchError(
            f"{model} gives another output than AutoModel.from_pretrained: "
            f"largest difference {float((ours - theirs).abs().max()):.3g}"
        )


def output(module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Run one forward; hidden states and, where there is one, the pooler's output, flat."""
    with torch.inference_mode():
        found = module(**inputs)
    parts = [found.last_hidden_state, getattr(found, "pooler_output", None)]
    return torch.cat([part.flatten() for part in parts if part is not None])


def fill_masks(directory: Path, device: str) -> list[dict[str, Any]]:
    """Predict the masked word of each sentence; nothing for a checkpoint without head or tokenizer.

    Each entry has `text` and `predictions`, a list of `token` and `score`, the best first.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False
        )
        model, info = AutoModelForMaskedLM.from_pretrained(
            directory,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, ImportError):
        return []
    if info["missing_keys"] or tokenizer.mask_token is None:
        return []
    model = model.eval().to(device)
    return [_fill_mask(tokenizer, model, text) for text in SENTENCES]


def _fill_mask(tokenizer: Any, model: Any, sentence: str) -> dict[str, Any]:
    text = sentence.format(mask=tokenizer.mask_token)
    inputs = tokenizer(text, return_tensors="pt").to(model.device)
    place = inputs["input_ids"][0] == tokenizer.mask_token_id
    with torch.inference_mode():
        scores = model(**inputs).logits[0][place][0].float().softmax(-1)
    best = scores[: len(tokenizer)].topk(SHOWN)
    return {
        "text": sentence.format(mask="[MASK]"),
        "predictions": [
            {"token": tokenizer.decode([int(i)]).strip(), "score": round(float(s), 4)}
            for s, i in zip(best.values, best.indices, strict=True)
        ],
    }
