"""What a kind of measurement declares; each has one module in `bench.core.measures`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from bench.core.allocator import Allocator


class Processes(str, Enum):
    """How many fresh processes a case is measured in."""

    ONE = "one"  # what is counted
    FEW = "few"  # --memory-processes
    SAMPLED = "sampled"  # as many as it takes to be precise, --processes at most
    SEARCHED = "searched"  # one for each batch size that is tried


class Start(str, Enum):
    """How a worker's process may begin."""

    FRESH = "fresh"  # never as a fork: the start itself is measured, or the whole process
    SPAWNED = "spawned"  # with an address layout of its own, since timing depends on it
    FORKED = "forked"  # a fork of a server that has imported the libraries will do


class Need(str, Enum):
    """What has to be there for a kind of measurement, checked before anything is measured."""

    PLAIN_MODULE = "plain module"  # a torch module as it is: no exported or compiled variant
    MEMORY_LIMIT = "memory limit"  # --memory-limit, on the CPU
    TEXT = "text"  # --text, whose lines make the sequences' lengths
    CHECKPOINT = "checkpoint"  # pretrained weights


@dataclass(frozen=True)
class Measure:
    """A kind of measurement: what the parent has to know of it, without importing torch.

    The measuring itself is `measure` in `bench.worker.measures.<name>`; a suite asks for it by the
    constant of its module here.
    """

    name: str
    """As it stands in `cases.csv`."""
    order: int
    """Place in a run. Timing comes last, since it is what takes whatever time is left."""
    processes: Processes
    start: Start = Start.SPAWNED
    allocator: Allocator = Allocator.SYSTEM
    """How its processes treat memory that is freed."""
    alone: bool = False
    """Whether each case has its processes to itself: what concerns memory and starting."""
    needs: tuple[Need, ...] = ()
    assumed_processes: int = 1
    """Processes of a case that is SEARCHED, for the estimate before a run."""

    @property
    def timed(self) -> bool:
        """Whether it is sampled in interleaved rounds until it is precise."""
        return self.processes is Processes.SAMPLED


def in_order(kinds: Iterable[Measure]) -> list[Measure]:
    """Each of the kinds once, in the order in which a run measures them."""
    return sorted(set(kinds), key=lambda kind: (kind.order, kind.name))
