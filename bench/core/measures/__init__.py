"""The kinds of measurement: one module each, with a constant of the module's name in capitals."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from bench.core.errors import UsageError
from bench.core.measure import Measure, in_order

WORKER_MODULES = Path(__file__).parents[2] / "worker" / "measures"
"""Where the module that measures lies for each kind; it imports torch, so it is only looked at."""


def all_measures() -> list[Measure]:
    """Every kind of measurement in the order they run.

    Raises UsageError for one of which a part is missing: its constant or its worker's module.
    """
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return in_order(map(_declared, names))


def _declared(name: str) -> Measure:
    where, constant = f"{__name__}.{name}", name.upper()
    kind = getattr(importlib.import_module(where), constant, None)
    if not isinstance(kind, Measure) or kind.name != name:
        raise UsageError(f"{where} has no {constant}: declare {constant} = Measure({name!r}, ...)")
    if not (WORKER_MODULES / f"{name}.py").is_file():
        raise UsageError(
            f"{where} declares what nothing measures: add bench/worker/measures/{name}.py"
        )
    return kind
