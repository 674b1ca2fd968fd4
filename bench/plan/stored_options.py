"""The options of a stored run, as its version of the tool wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.core.allocator import Allocator
from bench.core.axes import AXES
from bench.core.plain import from_plain
from bench.plan.options import Options, parse_axes

FORMER_SAMPLING = {
    "repeats": "processes",
    "min_repeats": "min_processes",
    "memory_repeats": "memory_processes",
}
"""What fields of Sampling were called in version 0.1 before 2026-11-27, and are called now.

Options had a key per axis then, its name with an s, instead of `axes`.
"""


def from_stored(data: Mapping[str, Any]) -> Options:
    """The options that a run was started with.

    Raises KeyError, TypeError, ValueError or UsageError for what no version has written.
    """
    former = {axis.name: data.get(f"{axis.name}s", ()) for axis in AXES}
    found = {name: value for name, value in data.items() if name.removesuffix("s") not in former}
    axes = parse_axes({**former, **data.get("axes", {})})
    found = {"allocator": Allocator.SYSTEM.value, **found}  # before there was a choice
    sampling = {FORMER_SAMPLING.get(n, n): value for n, value in data["sampling"].items()}
    return replace(from_plain(Options, {**found, "axes": {}, "sampling": sampling}), axes=axes)
