"""`bench run`'s own way from plan to exit code, with scripted workers that take their time.

`python slow_run.py DIRECTORY [NUMBER [FAULT]]`: at a worker's NUMBER-th measurement it `hangs`, or
no further process can be started (`refused`), or from there on it `dawdles`, so that however busy
the machine is, a signal that is sent then comes before the end.
"""

import errno
import os
import sys
import time
from pathlib import Path

import fakes
import scripted_run

from bench.cli import flow
from bench.cli import main as cli
from bench.core.events import Begin
from bench.core.suite import Sampling
from bench.plan.options import Options
from bench.results import store as records
from bench.runner import start
from bench.runner.prepare import Prepared
from bench.runner.resume import carry_over, whole_processes

DIRECTORY = Path(sys.argv[1])
NUMBER = int(sys.argv[2]) if len(sys.argv) > 2 else 0
FAULT = sys.argv[3] if len(sys.argv) > 3 else "hangs"
PAUSE_S = 0.05
DAWDLE_S = 0.5
begun = [0]


def script(job):
    """A healthy worker's events, a pause before each; or silence at the wanted place."""
    for event in scripted_run.events(job, PAUSE_S):
        begun[0] += isinstance(event, Begin)
        if NUMBER and begun[0] >= NUMBER:
            if FAULT == "refused":
                raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
            if FAULT == "dawdles":
                time.sleep(DAWDLE_S)
                yield event
                continue
            sys.stdout.write("hangs\n")
            sys.stdout.flush()
            time.sleep(600)
        yield event


def main(*_, **__):
    """Measure, or finish what is there."""
    sampling = Sampling(processes=4, min_processes=2, precision=1e-6, memory_processes=2)
    prepared = Prepared(
        options=Options(sampling=sampling, timeout_s=60.0),
        models=(fakes.BERT, fakes.ALBERT),
        checkpoints={"bert": None, "albert": None},
        sources={"bert": fakes.RANDOM, "albert": fakes.RANDOM},
        cases=tuple(scripted_run.CASES),
        notes=(),
        machine=fakes.MACHINE,
        software=fakes.SOFTWARE,
    )
    resume = (DIRECTORY / records.ENVIRONMENT).exists()
    writer = records.open_run(DIRECTORY, resume=resume)
    done, processes = {}, {}
    environment = prepared.describe(DIRECTORY.name, "2026-01-01T00:00:00Z")
    if resume:
        run = whole_processes(records.read_run(DIRECTORY))
        done, processes = carry_over(run, writer)
        environment = run.environment
    return flow._measure(prepared, writer, environment, done, processes)


os.chdir(DIRECTORY.parent)
start.launcher = lambda: fakes.ScriptedLauncher(script)  # the seam for processes
cli.app = main
cli.main()
