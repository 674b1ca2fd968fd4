"""Counts what needs no clock: parameters by part, weight bytes, FLOPs and operators."""

from __future__ import annotations

import gc
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from bench.core.architecture import Weights
from bench.core.case import Case
from bench.core.checkpoint_files import weight_files
from bench.core.flops import forward_flops
from bench.worker.loading import make_inputs
from bench.worker.session import Session

PARTS = {
    "embeddings": "embeddings",
    "embedding_hidden_mapping_in": "mapping",
    "embeddings_project": "mapping",
    "pooler": "pooler",
    "pooler_activation": "pooler",
}
"""Top-level module names of encoders and the part they are; all others are the encoder.

ALBERT keeps its embedding projection inside the encoder, and it is separated there too.
"""
HEAD = "head"
"""What stands beside the encoder in a model for a task, under whatever name."""


def measure(session: Session) -> None:
    """Count every case of the job, one model at a time."""
    cases = sorted(session.job.cases, key=lambda c: c.model)
    for _, same_model in groupby(cases, key=lambda c: c.model):
        group = list(same_model)
        session.begin(group)
        try:
            module = session.load(group[0])
            counted = [(case, _with_formula(session, module, case)) for case in group]
        except Exception as error:  # noqa: BLE001 - whatever a model raises becomes its reason
            session.failed(group, error)
            continue
        for case, values in counted:
            session.measured(case, values)
        del module
        gc.collect()


def count(module: torch.nn.Module, case: Case, seed: int) -> dict[str, float]:
    """All that can be counted of one case, by metric name."""
    inputs = make_inputs(module, case.workload, case.device, seed)
    values: dict[str, float] = {
        "trainable_parameters": sum(p.numel() for p in module.parameters() if p.requires_grad),
    }
    values |= _split("stored_parameters", stored_parameters(module))
    values |= _split("applied_parameters", applied_parameters(module, inputs))
    values |= _split("weight_bytes", weight_bytes(module))
    values["operators"] = count_operators(module, inputs)
    values["flops_counted"] = count_flops(module, inputs)
    return values


def _with_formula(session: Session, module: torch.nn.Module, case: Case) -> dict[str, float]:
    values = count(module, case, session.job.seed)
    model, source = session.named(case.model)
    if model.architecture is not None:
        values["flops"] = forward_flops(model.architecture, case.workload, case.variant.head)
    if source.directory is not None and source.weights is Weights.PRETRAINED:
        files = weight_files(Path(source.directory))
        values["checkpoint_bytes"] = sum(file.stat().st_size for file in files)
    return values


def _split(name: str, parts: dict[str, int]) -> dict[str, float]:
    whole: dict[str, float] = {name: sum(parts.values())}
    return whole | {f"{name}.{part}": n for part, n in parts.items()}


def part_of(parameter: str, base: str = "") -> str:
    """The part that a parameter (or module), named as in `named_parameters`, belongs to.

    `base` is the name of the encoder in a model with a head.
    """
    pieces = parameter.split(".")
    if base and pieces[0] != base:
        return HEAD
    return next((PARTS[piece] for piece in pieces if piece in PARTS), "encoder")


def _base_of(module: Any) -> str:
    """The name of the encoder in a transformers model with a head; none in the encoder itself."""
    return "" if module.base_model is module else str(module.base_model_prefix)


def stored_parameters(module: torch.nn.Module) -> dict[str, int]:
    """Parameters that exist, by part; a shared one counts once."""
    parts: Counter[str] = Counter()
    base = _base_of(module)
    for name, parameter in module.named_parameters():
        parts[part_of(name, base)] += parameter.numel()
    return dict(parts)


def applied_parameters(module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> dict[str, int]:
    """Parameters used by one forward, by part: a shared layer counts each time it is applied."""
    parts: Counter[str] = Counter()
    base = _base_of(module)

    def counter(name: str, own: int) -> Any:
        def hook(*_: object) -> None:
            parts[part_of(name, base)] += own

        return hook

    hooks = []
    for name, child in module.named_modules():
        # A head for masked words holds its decoder's bias a second time, and does not apply it.
        below = {id(p) for one in child.children() for p in one.parameters()}
        own = sum(p.numel() for p in child.parameters(recurse=False) if id(p) not in below)
        if own:
            hooks.append(child.register_forward_hook(counter(name, own)))
    try:
        with torch.inference_mode():
            module(**inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return dict(parts)


def weight_bytes(module: torch.nn.Module) -> dict[str, int]:
    """Bytes of all parameters, by dtype."""
    sizes: Counter[str] = Counter()
    for parameter in module.parameters():
        sizes[str(parameter.dtype).removeprefix("torch.")] += (
            parameter.numel() * parameter.element_size()
        )
    return dict(sizes)


def count_operators(module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> int:
    """Operators that one forward dispatches, views included, as the variant runs them."""

    class OperatorCounter(TorchDispatchMode):
        count: int = 0

        def __torch_dispatch__(
            self, func: Any, types: object, args: Any = (), kwargs: Any = None
        ) -> Any:
            del types
            self.count += 1
            return func(*args, **(kwargs or {}))

    # no_grad, since under inference_mode the dispatch mode does not see composite operators alike.
    with torch.no_grad(), OperatorCounter() as counter:  # type: ignore[no-untyped-call]
        module(**inputs)
    return int(counter.count)


def count_flops(module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> int:
    """FLOPs of one forward in eager attention (torch's counter sees none in CPU SDPA)."""
    config: Any = module.config
    attention = config._attn_implementation  # noqa: SLF001 - it has no public getter
    module.set_attn_implementation("eager")  # type: ignore[operator]
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(**inputs)
    finally:
        module.set_attn_implementation(attention)  # type: ignore[operator]
    return int(counter.get_total_flops())
