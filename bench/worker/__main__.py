"""The child process: reads one job, measures it, and streams what it finds to its parent.

Started as `python -m bench.worker` by `bench.runner.process`, or forked by a worker server, which
is started with `--serve FD`. One JSON line comes in on stdin; JSON lines go out on what was stdout.
Whatever libraries print goes to stderr instead.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import NoReturn, TextIO

from bench.core.events import Event, Finished, Ready, Software, encode
from bench.core.units import NS
from bench.plan.jobs import Job
from bench.plan.orders import Crosscheck, Order, Probe, Selftest, decode
from bench.worker.parent import end_with_parent, end_with_stdin


def main() -> NoReturn:
    """Do one job, or serve many; a parent that goes away ends this process too."""
    match sys.argv[1:]:
        case ["--serve", listener]:
            from bench.worker.serve import serve

            serve(int(listener), work)
        case _:
            end_with_parent()
            work()


def work() -> NoReturn:
    """Do the one job that stdin has, and end.

    It ends without Python's and the libraries' exit handlers: one of torch's has been seen to wait
    forever for a thread that was gone, with all results delivered.
    """
    code = 0
    try:
        _serve()
    except Exception:  # noqa: BLE001 - the parent reads it as this worker's last words
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


def _serve() -> None:
    """Read the order, and report to where stdout led."""
    began = time.perf_counter_ns()
    channel = _take_stdout()

    def emit(event: Event) -> None:
        channel.write(encode(event) + "\n")
        channel.flush()

    order = sys.stdin.readline()
    end_with_stdin()
    warnings.simplefilter("ignore")
    _obey(decode(order), emit, began)


def _obey(order: Order, emit: Callable[[Event], None], began: int) -> None:
    """Do what was asked; its modules import torch, which comes after the watch over the parent."""
    match order:
        case Job():
            _measure(order, emit, began)
        case Probe():
            from bench.worker.probe import packages, software

            emit(Software(software(), packages(order.variants)))
        case Selftest():
            from bench.worker.checks import selftest

            selftest.measure(order, emit)
            emit(Finished())
        case Crosscheck():
            from bench.worker.checks import crosscheck

            crosscheck.measure(order, emit)
            emit(Finished())


def _measure(job: Job, emit: Callable[[Event], None], began: int) -> None:
    import torch
    import transformers

    from bench.worker.device import device_clock
    from bench.worker.session import Session

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(job.threads)
    clock = device_clock(job.cases[0].device)
    spent = {"start_s": (time.perf_counter_ns() - began) * NS}
    session = Session(job, emit, clock, spent, began * NS)
    emit(Ready())
    importlib.import_module(f"bench.worker.measures.{job.measure.name}").measure(session)
    emit(Finished(session.spent))


def _take_stdout() -> TextIO:
    """Keep the real stdout for events, and send everybody else's prints to stderr."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


if __name__ == "__main__":
    main()
