"""Being asked to stop: once, a run finishes what it is measuring; twice, it stops at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C, a polite request to end, a terminal that was closed."""
NOTICE = b"\nfinishing the current measurement, then stopping; once more stops now\n"


@dataclass
class StopRequest:
    """Whether somebody has asked for the end; a second request is a KeyboardInterrupt."""

    asked: bool = False

    def __call__(self) -> bool:
        """Whether to stop at the next good moment."""
        return self.asked

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Take signals as requests within; those that are ignored (`nohup`) stay so."""
        before = {}
        for number in (getattr(signal, name) for name in SIGNALS if hasattr(signal, name)):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, self._ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            if number == getattr(signal, "SIGHUP", None):
                return  # one hang-up can arrive twice; it is no second request
            raise KeyboardInterrupt
        self.asked = True
        try:
            os.write(2, NOTICE)  # not through a buffer that this signal may have interrupted
        except OSError:  # the terminal was closed
            detach_stdio()


def detach_stdio() -> None:
    """Write to nowhere from now on: the reader is gone, and results matter more than messages."""
    silence = os.open(os.devnull, os.O_WRONLY)
    for handle in (1, 2):
        os.dup2(silence, handle)
    os.close(silence)
