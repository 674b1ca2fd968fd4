"""How `bench report` grows with a run: `python tests/support/scaling_report.py [SAMPLES]`.

Writes invented runs of an eighth, a quarter, a half and all of SAMPLES (1,000,000 when not given,
with 2,000 cases; smaller runs have fewer cases in proportion) and reports each in a process of its
own. Wall time depends on what else the machine does; CPU time does so less.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from synthetic import Plan, write_run

from bench.core.measures.forward import FORWARD

SAMPLES, CASES = 1_000_000, 2_000
PER_REPEAT = 100
"""Forwards in one process of a case, warm-up and switches included, about."""
CHILD = """
import resource, sys, time
from pathlib import Path
start = time.perf_counter()
from bench.report import write_report
page = write_report([Path(sys.argv[1])], Path(sys.argv[2]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
size = page.stat().st_size / 1e6
print(time.perf_counter() - start, time.process_time(), peak, size, "torch" in sys.modules)
"""


def plan(samples: int, cases: int) -> Plan:
    """A run of about so many rows of samples, over so many cases of two models."""
    processes = 5
    rounds = (samples // cases // processes - 3) // 3
    workloads = [(b, 16 * s) for s in range(1, 33) for b in range(1, 32)][: cases // 2]
    suites = {"throughput": (FORWARD, workloads)}
    return Plan(suites=suites, processes=processes, rounds=rounds)


def measure(samples: int, cases: int, folder: Path) -> tuple[float, ...]:
    """Seconds (wall, CPU), GB of peak memory and MB of page of one report, in a fresh process."""
    run = write_run(folder / f"run-{samples}", plan(samples, cases))
    command = [sys.executable, "-c", CHILD, str(run), str(folder / f"report-{samples}")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *numbers, torch = done.stdout.split()
    if torch == "True":
        raise SystemExit("the report imported torch")
    return tuple(float(number) for number in numbers)


def main() -> None:
    """Print a row per size."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    print("  samples  cases  wall s  CPU s  peak GB  page MB")
    with tempfile.TemporaryDirectory() as folder:
        for part in (8, 4, 2, 1):
            samples, cases = most // part, max(2, CASES * most // SAMPLES // part)
            wall, cpu, peak, page = measure(samples, cases, Path(folder))
            row = f"{samples:9,}  {cases:5,}  {wall:6.1f}  {cpu:5.1f}  {peak:7.2f}  {page:7.2f}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
