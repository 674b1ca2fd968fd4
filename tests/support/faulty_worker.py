"""A real worker to which something happens, once: `python faulty_worker.py FAULT WHERE MARKER`.

`MARKER` is a file that is made when the fault strikes, so that the next worker is a healthy one.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.worker import __main__ as worker
from bench.worker import session
from bench.worker.sampler import Sampler

FAULT, WHERE, MARKER = sys.argv[1], sys.argv[2], Path(sys.argv[3])


def strike() -> None:
    """Let it happen, unless it has happened before."""
    if MARKER.exists():
        return
    if FAULT == "kill":
        MARKER.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    elif FAULT == "exit":
        MARKER.touch()
        os._exit(0)
    elif FAULT == "hang":  # with a child, that has to go as well
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        MARKER.write_text(str(child.pid))
        time.sleep(600)
    elif FAULT == "orphan":  # a child holds stdout open after its parent's death
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        MARKER.write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGKILL)


class Channel:
    """The way to the parent; with a fault in writing, samples are cut in half."""

    def __init__(self, real):
        self.real = real

    def write(self, text):
        """Pass on the text, or half of it."""
        if WHERE == "writing" and '"samples"' in text and not MARKER.exists():
            self.real.write(text[: len(text) // 2])
            self.real.flush()
            strike()
        self.real.write(text)

    def flush(self):
        """Pass it on."""
        self.real.flush()


def before(owner, name, condition=lambda *_: True):
    """Strike before a function is called, when its arguments fulfil `condition`."""
    real = getattr(owner, name)

    def struck(*args, **kwargs):
        if condition(*args):
            strike()
        return real(*args, **kwargs)

    setattr(owner, name, struck)


if WHERE == "starting":
    strike()
elif WHERE == "loading":
    before(session, "load", lambda model, *_: model.name == "albert")
elif WHERE == "warming":
    before(
        Sampler, "warm_up", lambda _, name, *__: name.endswith("albert/cpu/float32/sdpa/t1/b1/s8")
    )
elif WHERE == "sampling":
    before(Sampler, "_block", lambda _, name, __, ___, count: name.endswith("s8") and count == 2)
take_stdout = worker._take_stdout
worker._take_stdout = lambda: Channel(take_stdout())
worker.main()
