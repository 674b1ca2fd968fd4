"""What a paired gate times: cases of our models by name, and modules that a user's code makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bench.compare.thresholds import SUITE
from bench.core.architecture import Model, config_arguments
from bench.core.axes import Dtype, Variant
from bench.core.case import Case, Workload
from bench.core.errors import UsageError
from bench.core.measures.forward import FORWARD
from bench.gate.environments import Environment
from bench.gate.process_pair import ProcessPair
from bench.gate.sides import Side
from bench.plan.options import Options
from bench.plan.registry import pick_models

FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
"""`module:function`; nothing on the hub and no sensible directory is called so."""
BATCH_SIZES, SEQ_LENS = (1,), (32, 128)
"""A search query and a paragraph: with two models four cases, which take minutes."""


@dataclass(frozen=True)
class Asked:
    """What to time, as the user put it; empty tuples mean the defaults."""

    models: tuple[str, ...] = ()
    batch_sizes: tuple[int, ...] = ()
    seq_lens: tuple[int, ...] = ()
    device: str = "cpu"
    dtype: Dtype = Dtype.FLOAT32
    threads: int = 1

    def __post_init__(self) -> None:
        if self.dtype is Dtype.INT8:
            raise UsageError("--dtype is int8: the gate times modules as they are, none quantised")
        # The same checks, with the same words, as for a run.
        Options(
            batch_sizes=self.batch_sizes,
            seq_lens=self.seq_lens,
            devices=(self.device,),
            threads=self.threads,
        )
        self._refuse_idle_options()

    def _refuse_idle_options(self) -> None:
        """A function makes its own module and inputs: what would change them has no effect."""
        if not self.models or not all(map(FACTORY.fullmatch, self.models)):
            return
        given = {
            "--batch-size": self.batch_sizes,
            "--seq-len": self.seq_lens,
            "--dtype": self.dtype is not Dtype.FLOAT32,
        }
        for option in (name for name, value in given.items() if value):
            raise UsageError(
                f"{option} has no effect on {', '.join(self.models)}: a function makes its own "
                "module and inputs, so leave the option out or name a model as well"
            )


@dataclass(frozen=True)
class Timed:
    """One case: its id, the facts a side loads it from, and the model it is of, if it is ours."""

    id: str
    facts: dict[str, Any]
    model: Model | None = None

    def order(self, environment: Environment, extra_units: int = 0) -> dict[str, Any]:
        """The case as it is sent to a side (see bench/gate/side_process.py)."""
        return {**self.facts, "build": self._build(environment), "extra_units": extra_units}

    def _build(self, environment: Environment) -> dict[str, Any]:
        if self.model is None:
            return {"kind": "factory", "name": self.id.partition("/")[2]}
        if self.model.is_directory:
            return {"kind": "config", "directory": self.model.source}
        if environment.is_ours:
            return {"kind": "repository", "name": self.model.name}
        if self.model.architecture is None:
            raise UsageError(
                f"--model is {self.model.name!r}: its architecture is not known here; give a "
                "directory with its config.json, or a function of yours as module:function"
            )
        arch = self.model.architecture
        return {
            "kind": "config",
            "model_type": arch.model_type,
            "arguments": config_arguments(arch),
        }


def timed_cases(asked: Asked) -> list[Timed]:
    """Every case that was asked for, once; a user's factory decides its own workload."""
    factories = [name for name in dict.fromkeys(asked.models) if FACTORY.fullmatch(name)]
    named = [name for name in asked.models if name not in factories]
    models = pick_models(named) if named or not factories else []
    found = [
        Timed(f"{SUITE}/{name}", _facts(f"{SUITE}/{name}", Variant(asked.dtype), None))
        for name in factories
    ]
    for batch_size in dict.fromkeys(asked.batch_sizes or BATCH_SIZES):
        for seq_len in dict.fromkeys(asked.seq_lens or SEQ_LENS):
            for model in models:
                limit = model.architecture.max_tokens if model.architecture else seq_len
                if seq_len > limit:
                    raise UsageError(
                        f"--seq-len is {seq_len}: {model.name} takes at most {limit} tokens"
                    )
                workload, variant = Workload(batch_size, seq_len), Variant(asked.dtype)
                case = Case(
                    SUITE,
                    FORWARD,
                    model.name,
                    variant,
                    workload,
                    asked.device,
                    asked.threads,
                )
                found.append(Timed(case.id, _facts(case.id, variant, workload), model))
    return found


def _facts(name: str, variant: Variant, workload: Workload | None) -> dict[str, Any]:
    return {
        "id": name,
        "dtype": variant.dtype.value,
        "attention": variant.attention.value,
        "batch_size": workload.batch_size if workload else 0,
        "seq_len": workload.seq_len if workload else 0,
    }


def order(
    cases: Sequence[Timed],
    environment: Environment,
    asked: Asked,
    seed: int,
    extra: Mapping[str, int],
) -> dict[str, Any]:
    """The whole order of a side; `extra` has units of extra work by case id."""
    return {
        "threads": asked.threads,
        "device": asked.device,
        "seed": seed,
        "cases": [case.order(environment, extra.get(case.id, 0)) for case in cases],
    }


def opener(
    sides: Mapping[Side, Environment],
    cases: Sequence[Timed],
    asked: Asked,
    seed: int,
    timeout_s: float,
    extra: Mapping[str, int] = MappingProxyType({}),
) -> Callable[[Sequence[str]], ProcessPair]:
    """Starts process pairs over some of the cases; `extra` units of work slow the candidate."""

    def open_pair(left: Sequence[str]) -> ProcessPair:
        chosen = [case for case in cases if case.id in left]
        orders = {
            side: order(chosen, environment, asked, seed, extra if side is Side.CANDIDATE else {})
            for side, environment in sides.items()
        }
        return ProcessPair(sides, orders, timeout_s)

    return open_pair
