"""The two sides of a gate, their turns, and the seam behind which their processes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from bench.core.events import Phase
from bench.gate.outputs import Outputs


class Side(str, Enum):
    """What a change is compared with, and the change."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"

    def __str__(self) -> str:
        return self.value


class SideError(Exception):
    """A side that cannot go on: which one, and why."""


class CaseError(Exception):
    """A case that a side cannot run, and why."""


@dataclass(frozen=True)
class Turn:
    """One forward of one side, in seconds."""

    side: Side
    phase: Phase
    round: int
    wall_s: float
    cpu_s: float


class Pair(Protocol):
    """The seam for process pairs: tests put scripted sides here."""

    def failed(self) -> Mapping[str, Mapping[Side, str]]:
        """Cases that could not be loaded, by id: the reason of each side that could not."""

    def versions(self) -> Mapping[Side, Mapping[str, str]]:
        """By side, the versions of what it runs on."""

    def turn(self, side: Side, case: str, forwards: int, draw: int) -> list[tuple[float, float]]:
        """Let one side run forwards of a case; wall and CPU seconds of each.

        `draw` decides the inputs of its last forward, and each one's before it is the next number.
        """

    def outputs(self, side: Side, case: str) -> Outputs:
        """What the last forward of a case on one side returned."""

    def close(self) -> None:
        """End both processes."""
