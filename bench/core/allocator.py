"""How glibc's allocator is set for a worker: what decides how steady time and memory are."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Allocator(Enum):
    """What a worker does with memory that is freed; a variable that the user has set stands."""

    STEADY = "steady"
    """Freed memory is kept: for timing, and on both sides of the gate.

    Otherwise it differs by process, for all its life, whether each forward gives memory back and
    faults it in again: 2,500 to 21,000 page faults and up to 18 % of the time of one forward of
    ALBERT at 128 tokens were seen. That is no difference between models, or sides.
    """
    EXACT = "exact"
    """Freed memory of 128 KiB and more is given back at once: for memory's high-water mark.

    The threshold otherwise rises with what was freed before, and the peak is one of two values by
    process; with it fixed, peak RSS repeats within 0.03 %.
    """
    SYSTEM = "system"
    """As the system has it."""

    def of(self, declared: Allocator) -> Allocator:
        """The setting of a measurement that declares one, where a run was asked for this one."""
        return declared if self is Allocator.STEADY else self

    @property
    def variables(self) -> Mapping[str, str]:
        """Environment variables that glibc reads when a process starts."""
        return VARIABLES[self]


VARIABLES: Mapping[Allocator, Mapping[str, str]] = {
    Allocator.STEADY: {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)},
    Allocator.EXACT: {"MALLOC_MMAP_THRESHOLD_": str(128 * 1024)},
    Allocator.SYSTEM: {},
}
