"""What a side loads: modules by name or config, the inputs of each forward, and extra work.

Loaded by its neighbour `side_process.py` from its file, under whatever interpreter the side has.
"""

from __future__ import annotations

import functools
import importlib
import json
import zlib
from collections.abc import Callable
from typing import Any

import torch

EXTRA_ROWS = 16
EXTRA_SIZE = 768
"""A unit of extra work is a (16 x 768) by (768 x 768) product: 19 MFLOP, under 1 % of a forward."""
SEED_STRIDE = 1_000_003
"""Seeds of inputs this far apart have no draw in common."""
FLOAT_SHARE = 0.05
"""Inputs of floating point are scaled by a factor within this of 1: another content, no other work.
"""
WEIGHT_RANGE = 0.035
"""Random matrices are uniform within it: the spread (0.02) that BERT and ALBERT begin with."""

Forward = Callable[[Any], Any]
Draw = Callable[[int], Any]
"""Inputs of a forward, from the number of a draw; 0 gives those of a user's function as they are.
"""


class LoadedCase:
    """A loaded case: its module's forward, what draws its inputs, and its last output."""

    def __init__(self, module: Any, forward: Forward, draw: Draw, device: str) -> None:
        self.module, self.forward, self.draw, self._device = module, forward, draw, device
        self.output: Any = None

    def slowed_by(self, units: int) -> Forward:
        """The forward after that many units of extra work."""
        extra = _extra_work(units, self._device)

        def slower(inputs: Any) -> Any:
            extra()
            return self.forward(inputs)

        return slower


def load(case: dict[str, Any], order: dict[str, Any], modules: dict[str, Any]) -> LoadedCase:
    """The case's module, with what draws its inputs and its extra work if it has any."""
    build, device = case["build"], order["device"]
    key = json.dumps([build, case["dtype"], case["attention"]], sort_keys=True)
    if key not in modules:
        torch.manual_seed(0)  # a user's function that draws its weights draws the same on both
        modules[key] = BUILDERS[build["kind"]](case, order)
    module, given = modules[key]
    draw: Draw
    if given is None:
        draw = functools.partial(_token_ids, module, case, order)
    else:
        draw = functools.partial(_varied, given)

    def forward(inputs: Any) -> Any:
        args, kwargs = _arguments(inputs)
        return module(*args, **kwargs)

    found = LoadedCase(module, forward, draw, device)
    if case["extra_units"]:
        found.forward = LoadedCase(module, forward, draw, device).slowed_by(case["extra_units"])
    return found


def _from_config(case: dict[str, Any], order: dict[str, Any]) -> tuple[Any, Any]:
    """A transformers encoder with seeded random weights: of a directory's config, or of facts."""
    from transformers import AutoConfig, AutoModel

    build = case["build"]
    if build.get("directory"):
        config = AutoConfig.from_pretrained(build["directory"], trust_remote_code=False)
    else:
        config = AutoConfig.for_model(build["model_type"], **build["arguments"])
    module = _with_known_weights(
        AutoModel.from_config(config, attn_implementation=case["attention"])
    )
    return module.eval().to(device=order["device"], dtype=getattr(torch, case["dtype"])), None


def _from_repository(case: dict[str, Any], order: dict[str, Any]) -> tuple[Any, Any]:
    """A model as the side's own checkout of this project names and loads it."""
    asked = (case["build"]["name"], case["dtype"], case["attention"], order["device"])
    try:
        by_name = importlib.import_module("bench.gate.by_name")
    except ModuleNotFoundError as error:
        if error.name not in ("bench.gate", "bench.gate.by_name"):
            raise
        # A tree from before 2026-11-27 has no such module.
        return _with_known_weights(_from_old_repository(*asked)), None
    return _with_known_weights(by_name.load(*asked)), None


def _from_old_repository(name: str, dtype: str, attention: str, device: str) -> Any:
    loading = importlib.import_module("bench.loading")
    registry = importlib.import_module("bench.registry")
    variant = importlib.import_module("bench.spec").Variant(dtype, attention)
    return loading.load(registry.pick_models([name])[0], variant, None, device, random=True)


def _from_factory(case: dict[str, Any], order: dict[str, Any]) -> tuple[Any, Any]:
    """What the user's `module:function` returns: a torch module and its inputs."""
    name, _, function = case["build"]["name"].partition(":")
    module, inputs = getattr(importlib.import_module(name), function)()
    return module.eval().to(order["device"]), _moved(inputs, order["device"])


BUILDERS = {"config": _from_config, "repository": _from_repository, "factory": _from_factory}


def _with_known_weights(module: Any) -> Any:
    """Random weights that follow from each parameter's name, and not from the order of making.

    So the outputs of two trees, or of two versions of transformers, can be compared.
    """
    generator = torch.Generator()
    for name, parameter in module.named_parameters():
        if parameter.ndim < 2:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        generator.manual_seed(zlib.crc32(name.encode()))
        values = torch.empty(parameter.shape)
        parameter.copy_(values.uniform_(-WEIGHT_RANGE, WEIGHT_RANGE, generator=generator))
    return module


def _token_ids(
    module: Any, case: dict[str, Any], order: dict[str, Any], number: int
) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(order["seed"] * SEED_STRIDE + number)
    shape = (case["batch_size"], case["seq_len"])
    ids = torch.randint(0, int(module.config.vocab_size), shape, generator=generator)
    device = order["device"]
    return {"input_ids": ids.to(device), "attention_mask": torch.ones_like(ids).to(device)}


def _varied(inputs: Any, number: int) -> Any:
    """The user's inputs with another content of the same size, by the number of a draw.

    Floating point is scaled by a factor near 1. Ids (integers in rows, other than masks of 0 and 1)
    change places within their rows, all alike. Anything else stays.
    """
    if hasattr(inputs, "keys"):
        return {name: _varied(inputs[name], number) for name in inputs.keys()}  # noqa: SIM118
    if isinstance(inputs, (list, tuple)):
        return [_varied(one, number) for one in inputs]
    if not isinstance(inputs, torch.Tensor) or not number or not inputs.numel():
        return inputs
    generator = torch.Generator().manual_seed(number)
    if inputs.is_floating_point():
        factor = 1 + FLOAT_SHARE * (2 * float(torch.rand((), generator=generator)) - 1)
        return inputs * factor
    if inputs.dtype == torch.bool or inputs.ndim < 2 or int(inputs.max()) <= 1:
        return inputs
    places = torch.randperm(inputs.shape[-1], generator=generator).to(inputs.device)
    return inputs[..., places]


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Inputs as a call takes them: a mapping by name, a list in order, anything else alone."""
    if hasattr(inputs, "keys"):
        return (), {name: inputs[name] for name in inputs.keys()}  # noqa: SIM118 - BatchEncoding
    return (tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)), {}


def _moved(inputs: Any, device: str) -> Any:
    if hasattr(inputs, "keys"):
        return {name: _moved(inputs[name], device) for name in inputs.keys()}  # noqa: SIM118
    if isinstance(inputs, (list, tuple)):
        return [_moved(one, device) for one in inputs]
    return inputs.to(device) if hasattr(inputs, "to") else inputs


def _extra_work(units: int, device: str) -> Callable[[], None]:
    """A call that does that many units of extra work, always the same."""
    left = torch.ones(EXTRA_ROWS, EXTRA_SIZE, device=device)
    right = torch.ones(EXTRA_SIZE, EXTRA_SIZE, device=device)
    out = torch.empty(EXTRA_ROWS, EXTRA_SIZE, device=device)

    def work() -> None:
        for _ in range(units):
            torch.mm(left, right, out=out)

    return work
