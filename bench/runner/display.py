"""Where progress goes: the seam between a run and a terminal, a log, or a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bench.core.case import Case, Status
from bench.core.suite import Sampling


class Display(Protocol):
    """Where progress goes: a terminal, a log, or a test's list."""

    def start(self, cases: Sequence[Case], sampling: Sampling) -> None:
        """The plan is known."""

    def begin(self, cases: Sequence[Case], process: int) -> None:
        """These cases are measured now, together."""

    def advance(self, case: Case) -> None:
        """One process of a case is done."""

    def finish(self, case: Case, status: Status, reason: str) -> None:
        """A case has ended."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    def stop(self) -> None:
        """Nothing more will come."""
