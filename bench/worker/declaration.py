"""What a backend declares of itself, and the declarations by name.

A backend is one file of `bench.worker.backends`, named as users name it, with its Declaration as
BACKEND. Everything else here asks the declaration.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import torch

from bench.core.axes import Attention, Backend, Compile, Dtype, Variant
from bench.core.errors import BenchError
from bench.worker.engine import Engine, Inputs

Problems = Callable[[Variant, str], Iterable[str]]
"""Reasons, one line each, why a variant cannot run on a device ("cpu", "cuda:1")."""


def no_problems(variant: Variant, device: str) -> Iterable[str]:
    """What a backend declares that has nothing more to say."""
    del variant, device
    return ()


def always(variant: Variant, device: str) -> bool:
    """When a backend's own packages are needed."""
    del variant, device
    return True


@dataclass(frozen=True)
class Needs:
    """Modules that have to be installed, and the command that installs them.

    The versions of their packages are recorded in a run with a variant that needs them.
    """

    modules: tuple[str, ...]
    install: str
    what: str = ""
    """What needs them, where it is not the backend as such."""
    when: Callable[[Variant, str], bool] = always
    """Whether a variant needs them on a device."""


@dataclass(frozen=True)
class Recipe:
    """What an engine is made from: a float32 module, which is changed or used up by it.

    `example` are inputs to export a graph with; its sizes stay free. `threads` are those of an
    engine that does not ask torch for them. `sizes_vary` says that inputs to come have many
    lengths, for which torch.compile makes code of free sizes as well.
    """

    module: torch.nn.Module
    variant: Variant
    example: Inputs
    threads: int
    sizes_vary: bool = False


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """All that the rest of the tool knows of a backend.

    `devices` are types ("cpu", "cuda"). What it does not run of the combinations of the values
    named here, `refuses` says without a look at the machine; `lacks` says what this machine has not
    got for it, and `emulates` what would run here, at a speed that nobody would use.
    """

    needs: tuple[Needs, ...]
    devices: tuple[str, ...]
    dtypes: tuple[Dtype, ...]
    attentions: tuple[Attention, ...]
    compiles: tuple[Compile, ...]
    own_threads: bool
    """Whether an engine is built for a number of threads, rather than asking torch for it."""
    build: Callable[[Recipe], Engine]
    slow_switch: bool = False
    """Whether its first forward after another model's is slower by percents: it is left out."""
    refuses: Problems = no_problems
    lacks: Problems = no_problems
    emulates: Problems = no_problems


@cache
def declaration(backend: Backend) -> Declaration:
    """The declaration of a backend; raises BenchError where its file does not have a whole one."""
    file = f"bench/worker/backends/{backend}.py"
    try:
        module = importlib.import_module(f"bench.worker.backends.{backend}")
    except TypeError as error:  # a part of the declaration is left out
        raise BenchError(f"{file}: {error}") from error
    found = getattr(module, "BACKEND", None)
    if not isinstance(found, Declaration):
        raise BenchError(f"{file} declares no BACKEND: give it a Declaration")
    return found
