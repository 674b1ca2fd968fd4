"""What the user asked for, and from cases to jobs: what one worker process does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.core.allocator import Allocator
from bench.core.architecture import Weights
from bench.core.axes import AXES, Axis
from bench.core.errors import UsageError, check_seconds
from bench.core.suite import Sampling

MOST_THREADS = 1024
"""Above the cores of any one machine; OpenMP cannot start some ten thousands, and dies of it."""


DEVICE = re.compile(r"cpu|cuda(:\d+)?")
MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Options:
    """What the user asked for; empty tuples mean what the profile and the machine say."""

    suites: tuple[str, ...] = ()
    profile: str = "quick"
    models: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu",)
    axes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict, hash=False)
    """By name of an axis the values to run; an axis that is not named has its default."""
    batch_sizes: tuple[int, ...] = ()
    seq_lens: tuple[int, ...] = ()
    threads: int = 1
    weights: Weights = Weights.AUTO
    revision: str | None = None
    seed: int = 0
    timeout_s: float = 600.0
    sampling: Sampling = field(default_factory=Sampling)
    text: str | None = None
    memory_limit: int | None = None
    """Bytes, for the largest batch that fits."""
    allocator: Allocator = Allocator.STEADY
    """Of what is timed; SYSTEM leaves all measurements to the system's own."""

    def __post_init__(self) -> None:
        for option, numbers in (("--batch-size", self.batch_sizes), ("--seq-len", self.seq_lens)):
            for number in numbers:
                if number < 1:
                    raise UsageError(f"{option} is {number}: give 1 or more")
        if not 0 <= self.seed <= MOST_SEED:
            raise UsageError(f"--seed is {self.seed}: give a number from 0 to {MOST_SEED}")
        if self.threads < 1:
            raise UsageError(f"--threads is {self.threads}: give 1 or more")
        if self.threads > MOST_THREADS:
            raise UsageError(f"--threads is {self.threads}: give {MOST_THREADS} or fewer")
        check_seconds("--timeout", self.timeout_s)
        for device in self.devices:
            if not DEVICE.fullmatch(device):
                raise UsageError(f"--device is {device!r}: give cpu, cuda or cuda:N")


def parse_axes(named: Mapping[str, Sequence[str]]) -> dict[str, tuple[Any, ...]]:
    """The values that a user named, by axis; raises UsageError for one that there is not."""
    return {axis.name: _parse(axis, named[axis.name]) for axis in AXES if named.get(axis.name)}


def _parse(axis: Axis, texts: Iterable[str]) -> tuple[Any, ...]:
    try:
        return tuple(map(axis.parse, texts))
    except ValueError as error:
        raise UsageError(f"{axis.option} is {error}") from None


SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 2 ** (10 * power) for power, letter in enumerate("KMGT", start=1)
}
"""What the letters before a B stand for."""


def parse_allocator(text: str) -> Allocator:
    """The allocator that `--allocator` names."""
    known = {one.value: one for one in (Allocator.STEADY, Allocator.SYSTEM)}
    if text not in known:
        raise UsageError(f"--allocator is {text!r}: choose from {', '.join(known)}")
    return known[text]


def parse_bytes(option: str, text: str) -> int | None:
    """Bytes from `2GB`, `1.5 GiB` or `800000000`; None where nothing was given."""
    if not text.strip():
        return None
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?(|[kMGT]|[KMGT]i)B?", text.strip())
    size = int(float(found[1]) * SIZES[found[2]]) if found else 0
    if not size:
        raise UsageError(f"{option} is {text!r}: give a size like 2GB, 1.5GiB or 800MB")
    return size
