"""A variant on this machine: whether it can run, what it needs installed, and its engine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable, Iterator

import torch

from bench.core.axes import Cache, Variant
from bench.core.english import several
from bench.core.errors import UnsupportedError
from bench.worker.declaration import Declaration, Needs, Recipe, declaration
from bench.worker.device import type_of
from bench.worker.engine import Engine, Inputs


def require(variant: Variant, device: str, *, timed: bool = True) -> None:
    """Raise UnsupportedError, with the reason, for what cannot run here; needs no model.

    What runs only by emulation is no more to be `timed`, but may be counted.
    """
    backend = declaration(variant.backend)
    for problem in _problems(backend, variant, device):
        raise UnsupportedError(problem)
    for problem in backend.emulates(variant, device) if timed else ():
        raise UnsupportedError(problem)


def versions(variant: Variant, device: str) -> dict[str, str]:
    """By package, the versions of what is installed and a variant needs beyond torch itself."""
    modules = [m for needs in _needed(variant, device) for m in needs.modules]
    if not modules:
        return {}
    packages = importlib.metadata.packages_distributions()
    names = sorted({name for module in modules for name in packages.get(module, ())})
    return {name: importlib.metadata.version(name) for name in names}


def build(
    module: torch.nn.Module,
    variant: Variant,
    device: str,
    example: Inputs,
    *,
    threads: int,
    sizes_vary: bool = False,
) -> Engine:
    """Make the engine of a variant; see Recipe. Raises UnsupportedError for what cannot run here.

    Every variant is made from the same weights in the same way, so that its output can be compared
    with what the module gave before.
    """
    require(variant, device)
    recipe = Recipe(module, variant, example, threads, sizes_vary)
    return declaration(variant.backend).build(recipe)


def _problems(backend: Declaration, variant: Variant, device: str) -> Iterator[str]:
    """First what no installation would change, then what is missing here."""
    yield from _undeclared(backend, variant, device)
    yield from backend.refuses(variant, device)
    if variant.cache == Cache.COLD and type_of(device) == "cpu":
        yield "cold-l2 is a mode of CUDA devices"
    for needs in _needed(variant, device):
        for module in needs.modules:
            if importlib.util.find_spec(module) is None:
                what = f"{needs.what or variant.backend} needs the module {module}"
                yield f"{what}, which is not installed: {needs.install}"
    yield from backend.lacks(variant, device)


def _needed(variant: Variant, device: str) -> Iterable[Needs]:
    needs = declaration(variant.backend).needs
    return [one for one in needs if one.when(variant, device)]


def _undeclared(backend: Declaration, variant: Variant, device: str) -> Iterator[str]:
    """What a backend's declaration does not name among what it runs."""
    axes: tuple[tuple[str, object, tuple[object, ...]], ...] = (
        ("on", type_of(device), backend.devices),
        ("in", variant.dtype, backend.dtypes),
        ("with attention", variant.attention, backend.attentions),
        ("with compile", variant.compile, backend.compiles),
    )
    for how, asked, declared in axes:
        if asked not in declared:
            only = several(map(str, declared))
            yield f"{variant.backend} runs {how} {only} only, not {how.split()[0]} {asked}"
