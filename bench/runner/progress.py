"""Where one worker is with its cases, whom its end is blamed on, and how a case ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.checkpoints.resolve import Checkpoint
from bench.core.case import Case, Status, Stop
from bench.core.events import Ended
from bench.core.utc import utc_now


@dataclass
class Progress:
    """One worker: all its cases by id, those it is at, and those it has delivered."""

    cases: dict[str, Case]
    current: list[str] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)

    def blame(self, event: Ended, done: Collection[str]) -> Iterator[tuple[str, Status, str]]:
        """What was being measured when the worker ended before its time: id, status, reason.

        A worker that delivered nothing at all, or that ended well and left cases out, would do the
        same again: then all that it left is blamed, so that a run always comes to an end.
        """
        missing = [c for c in self.cases if c not in {*self.delivered, *done}]
        well = event.status is Status.OK
        blamed = [c for c in missing if c in self.current]
        if well or not (blamed or self.delivered):
            blamed = missing
        status = Status.FAILED if well else event.status
        for name in blamed:
            yield name, status, event.reason or "the worker ended without measuring it"


@dataclass(frozen=True)
class End:
    """How a case ended, after so many processes."""

    status: Status
    reason: str
    processes: int
    stop: Stop

    def columns(self, case: Case, source: str, checkpoint: Checkpoint | None) -> dict[str, Any]:
        """The columns of `cases.csv` beside those of identity."""
        return {
            "measure": case.measure.name,
            "source": source,
            "revision": checkpoint.revision if checkpoint else "",
            "checkpoint_bytes": checkpoint.size if checkpoint else None,
            "checkpoint_sha256": checkpoint.sha256 if checkpoint else "",
            "status": self.status.value,
            "reason": self.reason,
            "processes": self.processes,
            "stop": self.stop.value,
            "finished": utc_now(),
        }
