"""Ending with the parent, in whatever way that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int | None = None) -> None:
    """Have Linux end this process with its parent, also where a library keeps Python from running.

    See prctl(2); elsewhere, and where the parent was gone before this call, `end_with_stdin` does.
    Whoever knows the `parent`'s id learns that from it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def end_with_stdin() -> None:
    """From now on end when stdin closes, which happens when the other end of the pipe goes."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)
