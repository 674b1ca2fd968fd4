"""The terminal while a run goes on: a bar, or a line per case."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console

from bench.core.axes import Variant
from bench.core.case import Case, Compares, Status, Workload
from bench.core.english import counted
from bench.core.suite import Sampling
from bench.plan.jobs import processes_of
from bench.runner.signals import detach_stdio
from bench.terminal.layout import cut
from bench.wording.names import short
from bench.wording.numbers import plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class SafeOutput(StringIO):
    """Standard output that never ends a run: it may be closed, or know fewer signs than ours."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.stream = sys.stdout  # a live bar puts itself into the place of sys.stdout

    def write(self, text: str) -> int:
        """Write now; what nobody reads is dropped, and signs that the stream lacks are replaced."""
        known = getattr(self.stream, "encoding", None) or "utf-8"
        try:
            text.encode(known)
        except UnicodeEncodeError:
            text = plain(text.translate(BAR)).encode(known, "replace").decode(known)
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            detach_stdio()
        return len(text)

    def isatty(self) -> bool:
        """Whether a person looks on."""
        return self.stream.isatty()


BAR = str.maketrans({"━": "#", "╸": "#", "╺": "."})
"""The signs of rich's bar, where the terminal knows only ASCII."""
PIPED_WIDTH = 120
"""Columns where the output is no terminal and COLUMNS does not say how many there are."""


def console() -> Console:
    """The terminal, or whatever stands in for one (then without colours)."""
    found = Console(file=SafeOutput(), highlight=False, soft_wrap=False)
    if found.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return found
    return Console(file=SafeOutput(), highlight=False, width=PIPED_WIDTH)


def describe(case: Case) -> str:
    """A workload in a few words."""
    usual = case.variant == Variant() and case.compares is Compares.MODELS
    compared = case.compares is Compares.THREADS
    threads = counted(case.threads, "thread") if compared else ""
    return place_name(
        case.suite, case.workload, case.device, "" if usual else case.variant, threads
    )


def place_name(suite: str, workload: Workload | str, device: str, *special: Variant | str) -> str:
    """`latency: batch 1, 32 tokens (cpu, float32 eager)`."""
    return f"{suite}: {workload} ({', '.join([device, *map(str, filter(None, special))])})"


BAR_WIDTH, TIME_WIDTH = 18, 9
"""Columns of the bar, and of the time left with the blanks around it."""


@dataclass
class TerminalDisplay:
    """A live bar on a terminal; elsewhere one plain line per case, when it has ended."""

    console: Console = field(default_factory=console)
    _progress: Progress | None = None
    _task: TaskID | None = None
    _sampling: Sampling = field(default_factory=Sampling)
    _total: int = 0
    _done: int = 0

    def start(self, cases: Sequence[Case], sampling: Sampling) -> None:
        """See Display."""
        self._sampling, self._total = sampling, len(cases)
        if not self.console.is_terminal:
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            BarColumn(bar_width=BAR_WIDTH),
            TextColumn("{task.fields[cases]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.description}", markup=False),
            console=self.console,
            transient=True,
        )
        steps = sum(processes_of(c.measure, sampling) for c in cases)
        self._task = self._progress.add_task("starting", total=steps, cases=self._count())
        self._progress.start()

    def begin(self, cases: Sequence[Case], process: int) -> None:
        """See Display."""
        if self._progress is None or self._task is None:
            return
        first = cases[0]
        names = " | ".join(dict.fromkeys(short(c.model) for c in cases))
        size = f"{first.workload.batch_size}x{first.workload.seq_len or 'text'}"
        text = f"{first.suite} {size}, process {process}: {names}"
        room = self.console.width - BAR_WIDTH - len(self._count()) - TIME_WIDTH
        self._progress.update(self._task, description=cut(text, room))

    def advance(self, case: Case) -> None:
        """See Display."""
        del case
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)

    def finish(self, case: Case, status: Status, reason: str) -> None:
        """See Display."""
        self._done += 1
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, cases=self._count())
        ending = "" if status is Status.OK else f": {status.value}: {reason}"
        if self._progress is None or status is not Status.OK:
            text = f"[{self._done}/{self._total}] {describe(case)}, {case.model}{ending}"
            self.console.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """See Display."""
        self.console.print(f"note: {text}", markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _count(self) -> str:
        return f"{self._done}/{self._total}"
