"""The largest batch that fits into a limit of memory: each batch is tried in a fresh process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace

from bench.core.case import Case, Status, Workload
from bench.core.errors import BenchError
from bench.core.events import Ended, Failed, Finished, Measurement, Measurements
from bench.core.metrics import LARGEST, metric
from bench.plan.jobs import Job
from bench.runner.process import Launcher

MOST = 2**20
"""Sequences in a batch beyond which no larger one is tried."""
ENDED_FOR_MEMORY = ("SIGKILL", "SIGABRT")
"""How the system ends a process that takes too much, and how one ends itself that gets no more."""


class TryError(BenchError):
    """A try that says nothing of memory: how it ended, and why."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def largest(fits: Callable[[int], bool], most: int = MOST) -> int:
    """The largest number up to `most` that fits, 0 where not even 1 does.

    Doubled until one does not fit, then bisected between the last that did and that one.
    """
    low, high = 0, 1
    while high <= most and fits(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@dataclass
class Search:
    """Looks for the largest batch of one case; `job` is what a process that tries it gets."""

    launcher: Launcher
    job: Job
    timeout_s: float
    before: Callable[[Case], None]
    """Hears of each try before it is made."""
    spend: Callable[[dict[str, float]], None]
    rows: tuple[Measurement, ...] = field(default=(), init=False)
    """What was measured with the largest batch that fitted so far."""
    fitted: int = field(default=0, init=False)
    """The largest batch that fitted so far."""
    tries: int = field(default=0, init=False)
    refusal: str = field(default="", init=False)
    """Why the last batch that did not fit did not."""

    def run(self) -> tuple[Measurement, ...]:
        """What was measured; nothing where not even one sequence fits.

        Raises TryError when a batch could not be tried.
        """
        found = largest(self._fits)
        if not found:
            return ()
        if found >= MOST:
            raise TryError(
                Status.FAILED,
                f"even a batch of {found:,} fits, and no larger one is tried: give a lower "
                "--memory-limit or longer sequences",
            )
        counted = {LARGEST: found, "capacity_tries": self.tries}
        rows = (Measurement(name, metric(name).unit.value, n) for name, n in counted.items())
        return (*rows, *self.rows)

    def _fits(self, batch_size: int) -> bool:
        (case,) = self.job.cases
        tried = replace(case, workload=Workload(batch_size, case.workload.seq_len))
        self.before(tried)
        self.tries += 1
        job, rows = replace(self.job, cases=(tried,)), None
        with closing(self.launcher.run(job, self.timeout_s)) as events:
            for event in events:
                match event:
                    case Measurements():
                        rows = event.rows
                    case Finished(spent):
                        self.spend(spent)
                    case Failed() | Ended() if event.status is not Status.OK:
                        return self._refused(batch_size, event)
        if rows is None:
            reason = "the worker ended without measuring it"
            raise self._broken(batch_size, Status.FAILED, reason)
        self.rows, self.fitted = rows, batch_size
        return True

    def _refused(self, batch_size: int, end: Failed | Ended) -> bool:
        for_memory = end.status is Status.OUT_OF_MEMORY or (
            isinstance(end, Ended) and end.signal in ENDED_FOR_MEMORY
        )
        if not for_memory:
            raise self._broken(batch_size, end.status, end.reason)
        self.refusal = end.reason
        return False

    def _broken(self, batch_size: int, status: Status, reason: str) -> TryError:
        """What is known all the same stands in the reason."""
        known = f" (a batch of {self.fitted} fits)" if self.fitted else ""
        return TryError(status, f"batch {batch_size}: {reason}{known}")
