"""`bench selftest`: the harness measured against things whose true value is known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rich.table import Table

from bench.core.architecture import Architecture, Model, Weights
from bench.core.axes import Variant
from bench.core.case import Case, Status, Workload
from bench.core.errors import BenchError
from bench.core.events import Ended, Event, Failed, Known, Phase, Quantity, Samples
from bench.core.measures.forward import FORWARD
from bench.plan.jobs import Job, Source
from bench.plan.options import Options
from bench.plan.orders import Selftest
from bench.runner.prepare import devices_here
from bench.runner.process import Launcher, ProcessLauncher, ask
from bench.runner.server import probe
from bench.stats.centres import exponential
from bench.stats.intervals import Interval, mean_interval
from bench.terminal.progress import console

OVERHEAD_LIMIT_S = 10e-6
READING_LIMIT_S = 1e-3
"""Of a round, which takes 0.3 s unless forwards are very short: a third of a percent."""
DELAY_S = 0.020
"""A delay that schedulers do not hide, and that a few dozen forwards of fit in a second."""
DELAY_TOLERANCE = 0.01
ALLOCATION_BYTES = 64 * 2**20
ALLOCATION_TOLERANCE = 0.01
BUDGET_S = 1.5
PROCESSES = 5
SILENCE_S = 120.0
ORDER = Selftest(DELAY_S, ALLOCATION_BYTES, BUDGET_S)


@dataclass(frozen=True)
class Check:
    """One thing measured whose true value is known."""

    name: str
    found: str
    wanted: str
    passed: bool


def main(device: str = "cpu") -> int:
    """Run every check, print a table; 1 when one failed. The A/A test runs on `device`."""
    Options(devices=(device,))  # the same check, with the same words, as a run
    if device != "cpu":
        devices_here((device,), probe().facts)
    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("check", "found", "wanted", ""):
        table.add_column(name)
    failed = 0
    for check in (*known_values(ask(ORDER, SILENCE_S)), aa_test(ProcessLauncher(), device)):
        failed += not check.passed
        verdict = "[green]ok[/]" if check.passed else "[red]FAILED[/]"
        table.add_row(check.name, check.found, check.wanted, verdict)
    out.print(table)
    if failed:
        out.print(
            "A check can fail because the machine was busy: run it again when it is idle. "
            "One that fails every time means that results from this machine cannot be trusted."
        )
    return int(failed > 0)


def known_values(events: Iterable[Event]) -> Iterator[Check]:
    """What a worker measured of ORDER, judged; raises BenchError when it did not get through."""
    for event in events:
        match event:
            case Known():
                yield JUDGES[event.quantity](event)
            case Ended() if event.status is not Status.OK:
                raise BenchError(f"the self-test's worker failed: {event.reason}")


def overhead(found: Known) -> Check:
    """Between two samples stand clocks, bookkeeping and the order of rounds."""
    return Check(
        "cost of one sample of a do-nothing forward",
        f"{found.value * 1e6:.2f} us ({found.samples:,} samples)",
        f"under {OVERHEAD_LIMIT_S * 1e6:.0f} us",
        found.value < OVERHEAD_LIMIT_S,
    )


def round_reading(found: Known) -> Check:
    """Reading the machine's state lies in no timed forward, but takes its time from the budget."""
    return Check(
        "reading the machine's state, between rounds",
        f"{found.value * 1e6:.0f} us",
        f"under {READING_LIMIT_S * 1e6:.0f} us",
        found.value < READING_LIMIT_S,
    )


def added_delay(found: Known) -> Check:
    """A forward that takes a known time longer than another is reported as that much longer."""
    return Check(
        "a forward with a known added delay",
        f"{found.value * 1e3:.3f} ms",
        f"{DELAY_S * 1e3:.3f} ms within {DELAY_TOLERANCE:.0%}",
        abs(found.value / DELAY_S - 1) <= DELAY_TOLERANCE,
    )


def allocation(found: Known) -> Check:
    """A module that allocates a known number of bytes is reported to need that many."""
    return Check(
        "peak activation bytes of a module that allocates 64 MiB",
        f"{found.value / 2**20:.4f} MiB",
        f"64 MiB within {ALLOCATION_TOLERANCE:.0%}",
        abs(found.value / ALLOCATION_BYTES - 1) <= ALLOCATION_TOLERANCE,
    )


JUDGES: dict[Quantity, Callable[[Known], Check]] = {
    Quantity.OVERHEAD: overhead,
    Quantity.ROUND_READING: round_reading,
    Quantity.ADDED_DELAY: added_delay,
    Quantity.ALLOCATION: allocation,
}


def aa_test(launcher: Launcher, device: str = "cpu") -> Check:
    """The same model under two names on a device: the interval of their ratio contains 1.

    A 95 % interval misses once in twenty, so a miss is confirmed by fresh processes: two misses in
    a row happen by chance once in 400 runs of this check.
    """
    ratio = _aa_ratio(launcher, device, seed=0)
    found = _shown(ratio)
    if not ratio.low <= 1 <= ratio.high:
        ratio = _aa_ratio(launcher, device, seed=1)
        found += f", again: {_shown(ratio)}"
    return Check(
        f"A/A test on {device} in {PROCESSES} fresh processes",
        found,
        "an interval that contains 1",
        ratio.low <= 1 <= ratio.high,
    )


def _shown(ratio: Interval) -> str:
    return f"{ratio.value:.4f} [{ratio.low:.4f}, {ratio.high:.4f}]"


def _aa_ratio(launcher: Launcher, device: str, seed: int) -> Interval:
    """Ratio of a small encoder to itself, through real workers and the real rule."""
    arch = Architecture("bert", 1000, 128, 128, 4, 4, 512)
    models = (Model("one", "one", arch), Model("other", "other", arch))
    cases = tuple(
        Case("selftest", FORWARD, m.name, Variant(), Workload(1, 64), device, 1) for m in models
    )
    logs = []
    for process in range(1, PROCESSES + 1):
        job = Job(
            FORWARD,
            process,
            cases,
            models,
            {m.name: Source(None, Weights.RANDOM) for m in models},
            threads=1,
            seed=seed,
            budgets_s={cases[0].group: BUDGET_S * len(cases)},
            precision=0.001,
        )
        one, other = _fastest(launcher, job)
        logs.append(statistics.median(math.log(other[r] / one[r]) for r in one))
    return exponential(mean_interval(logs))


def _fastest(launcher: Launcher, job: Job) -> list[dict[int, float]]:
    """Of each case, in order, the fastest sample of each round in seconds."""
    fastest: dict[str, dict[int, float]] = {case.id: {} for case in job.cases}
    for event in launcher.run(job, SILENCE_S):
        match event:
            case Samples(name, rows):
                rounds = fastest[name]
                for row in rows:
                    if row.phase is Phase.SAMPLE:
                        rounds[row.round] = min(row.wall_s, rounds.get(row.round, math.inf))
            case Failed() | Ended() if event.status is not Status.OK:
                raise BenchError(f"the self-test's worker failed: {event.reason}")
    return list(fastest.values())
