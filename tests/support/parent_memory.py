"""How much the parent's memory grows over many cases: `python tests/support/parent_memory.py`.

Scripted workers, the real runner and files. The growth is that of resident memory between two
moments: when the libraries are loaded and the first case begins, and the end of the last process.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import sys
import tempfile
from pathlib import Path

import fakes
import psutil
import scripted_run

from bench.core.events import Samples
from bench.core.suite import Sampling
from bench.results import store as records

MIB = 2**20
ROUNDS = 20


class Gauge(fakes.ListDisplay):
    """A display that keeps nothing, and weighs the process at the begin of each process."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: dict[int, float] = {}

    def begin(self, cases, process) -> None:
        """See Display."""
        del cases
        if process not in self.weights:
            self.weights[process] = weigh()

    def advance(self, case) -> None:
        """See Display."""

    def finish(self, case, status, reason) -> None:
        """See Display."""


def weigh() -> float:
    """Resident memory in MiB, without what the allocator only keeps for later."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    return psutil.Process().memory_info().rss / MIB


def growth(cases: int, processes: int = 6) -> dict[int, float]:
    """MiB at the beginning of each process and, under 0, at the end."""
    lengths = range(1, cases // 2 + 1)
    planned = [case for length in lengths for case in fakes.pair(seq_len=length)]
    with tempfile.TemporaryDirectory() as root:
        writer = records.open_run(Path(root) / "run")
        writer.write_environment(fakes.run_environment(planned))
        gauge = Gauge()

        def script(job):
            for event in fakes.worker_events(job, rounds=ROUNDS):
                if isinstance(event, Samples):  # that wander: no look ends the run
                    yield scripted_run.true(event, job.process)
                else:
                    yield event

        runner = scripted_run.runner(writer, gauge, script, planned)
        runner.launcher.jobs = Nothing()
        runner.sampling = Sampling(processes=processes, min_processes=2, precision=1e-9)
        runner.measure()
        writer.close()
    return {**gauge.weights, 0: weigh()}


class Nothing(list):
    """A list that keeps nothing: the fake's own notes are no part of what is weighed."""

    def append(self, _item) -> None:
        """Forget it."""


def main() -> int:
    """Print the weights; 1 when they grew by 10 MiB or more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    weights = growth(parser.parse_args().cases)
    for process, weight in weights.items():
        sys.stdout.write(f"{f'process {process}' if process else 'end'}: {weight:.1f} MiB\n")
    grown = weights[0] - weights[1]
    sys.stdout.write(f"growth over the run: {grown:.1f} MiB\n")
    return int(grown >= 10)


if __name__ == "__main__":
    sys.exit(main())
