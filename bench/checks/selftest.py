"""`bench selftest`: the harness measures itself, against things whose true value is known."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.core.events import Sample
from bench.worker.clock import SystemClock
from bench.worker.monitor import RoundWatch
from bench.worker.sampler import Limits, Sampler

OVERHEAD_LIMIT_S = 10e-6
READING_LIMIT_S = 1e-3
"""Of a round, which takes 0.3 s unless forwards are very short: a third of a percent."""
READINGS = 200
DELAY_S = 0.020
"""A delay that schedulers do not hide, and that a few dozen forwards of fit in a second."""
DELAY_TOLERANCE = 0.01
ALLOCATION_BYTES = 64 * 2**20
ALLOCATION_TOLERANCE = 0.01
BUDGET_S = 1.5
PROCESS_REPEATS = 5


@dataclass(frozen=True)
class Check:
    """One thing measured whose true value is known."""

    name: str
    found: str
    wanted: str
    passed: bool


def main() -> int:
    """Run every check, print a table; 1 when one failed."""
    from rich.table import Table

    from bench.terminal.progress import console

    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("check", "found", "wanted", ""):
        table.add_column(name)
    failed = 0
    for check in checks():
        failed += not check.passed
        verdict = "[green]ok[/]" if check.passed else "[red]FAILED[/]"
        table.add_row(check.name, check.found, check.wanted, verdict)
    out.print(table)
    if failed:
        out.print(
            "A check can fail because the machine was disturbed: run it again when it is quiet. "
            "One that fails every time means that results from this machine cannot be trusted."
        )
    return int(failed > 0)


def checks() -> Iterator[Check]:
    """Every check, cheapest first."""
    yield overhead()
    yield reading()
    yield known_delay()
    yield equal_sides()
    yield known_allocation()


def _sample(forward: Callable[[], object]) -> list[Sample]:
    sampler = Sampler(SystemClock(), random.Random(0), Limits(BUDGET_S, 0.0))  # noqa: S311
    warm = sampler.warm_up("forward", forward)
    return sampler.rounds({"forward": forward}, {"forward": warm[-1].wall_s})["forward"]


def overhead() -> Check:
    """Wall time the harness itself spends per sample, from the time of a do-nothing forward.

    Counts everything between two samples: clocks, bookkeeping, the order of rounds.
    """
    began = time.perf_counter()
    samples = _sample(lambda: None)
    per_sample = (samples[-1].at_s - samples[0].at_s) / (len(samples) - 1)
    took = time.perf_counter() - began
    return Check(
        "cost of one sample of a do-nothing forward",
        f"{per_sample * 1e6:.2f} us ({len(samples):,} samples in {took:.1f} s)",
        f"under {OVERHEAD_LIMIT_S * 1e6:.0f} us",
        per_sample < OVERHEAD_LIMIT_S,
    )


def reading() -> Check:
    """Wall time of reading, once a round, what disturbs a measurement; in no timed forward."""
    watch = RoundWatch(SystemClock())
    took = []
    for number in range(READINGS):
        began = time.perf_counter()
        watch.begin()
        watch.end(number)
        took.append(time.perf_counter() - began)
    per_round = statistics.median(took)
    return Check(
        "reading what disturbs a round, between rounds",
        f"{per_round * 1e6:.0f} us",
        f"under {READING_LIMIT_S * 1e6:.0f} us",
        per_round < READING_LIMIT_S,
    )


def known_delay() -> Check:
    """A forward that takes a known time longer than another is reported as that much longer."""

    def busy(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    base = statistics.median(t.wall_s for t in _sample(lambda: busy(DELAY_S)))
    more = statistics.median(t.wall_s for t in _sample(lambda: busy(2 * DELAY_S)))
    added = more - base
    return Check(
        "a forward with a known added delay",
        f"{added * 1e3:.3f} ms",
        f"{DELAY_S * 1e3:.3f} ms within {DELAY_TOLERANCE:.0%}",
        abs(added / DELAY_S - 1) <= DELAY_TOLERANCE,
    )


def equal_sides() -> Check:
    """The same model under two names: the interval of their ratio contains 1.

    A 95 % interval misses once in twenty, so a miss is confirmed by fresh processes: two misses in
    a row happen by chance once in 400 runs of this check.
    """
    low, ratio, high = _equal_ratio(seed=0)
    found = f"{ratio:.4f} [{low:.4f}, {high:.4f}]"
    if not low <= 1 <= high:
        low, ratio, high = _equal_ratio(seed=1)
        found += f", again: {ratio:.4f} [{low:.4f}, {high:.4f}]"
    return Check(
        f"equal sides (A/A) in {PROCESS_REPEATS} fresh processes",
        found,
        "an interval that contains 1",
        low <= 1 <= high,
    )


def _equal_ratio(seed: int) -> tuple[float, float, float]:
    """Ratio of a small encoder to itself, with bounds, through real workers and the real rule."""
    from bench.core.architecture import Architecture, Model
    from bench.core.axes import Variant
    from bench.core.case import Case, Measure, Status, Workload
    from bench.core.errors import BenchError
    from bench.core.events import Ended, Failed, Phase, Samples
    from bench.plan.jobs import Job, Source
    from bench.runner.process import ProcessLauncher
    from bench.stats.intervals import mean_interval

    arch = Architecture("bert", 1000, 128, 128, 4, 4, 512)
    models = (Model("one", "one", arch), Model("other", "other", arch))
    cases = tuple(
        Case("selftest", Measure.FORWARD, m.name, Variant(), Workload(1, 64), "cpu", 1)
        for m in models
    )
    logs = []
    for repeat in range(1, PROCESS_REPEATS + 1):
        job = Job(
            Measure.FORWARD,
            repeat,
            cases,
            models,
            {m.name: Source(None, "random") for m in models},
            threads=1,
            seed=seed,
            budget_s=BUDGET_S,
            precision=0.001,
        )
        minima: dict[str, dict[int, float]] = {}
        for event in ProcessLauncher().run(job, timeout_s=120):
            match event:
                case Samples(case, rows):
                    rounds = minima.setdefault(case, {})
                    for row in rows:
                        if row.phase is Phase.SAMPLE:
                            best = min(row.wall_s, rounds.get(row.round, math.inf))
                            rounds[row.round] = best
                case Failed() | Ended() if event.status is not Status.OK:
                    raise BenchError(f"the self-test's worker failed: {event.reason}")
        one, other = (minima[c.id] for c in cases)
        logs.append(statistics.median(math.log(other[r] / one[r]) for r in one))
    found = mean_interval(logs)
    return math.exp(found.low), math.exp(found.value), math.exp(found.high)


def known_allocation() -> Check:
    """A module that allocates a known number of bytes is reported to need that many."""
    import torch

    from bench.worker.measures.memory import peak_allocated_bytes

    class Allocates(torch.nn.Module):
        def forward(self) -> torch.Tensor:
            return torch.empty(ALLOCATION_BYTES, dtype=torch.uint8)

    found = peak_allocated_bytes(Allocates())
    return Check(
        "peak activation bytes of a module that allocates 64 MiB",
        f"{found / 2**20:.4f} MiB",
        f"64 MiB within {ALLOCATION_TOLERANCE:.0%}",
        abs(found / ALLOCATION_BYTES - 1) <= ALLOCATION_TOLERANCE,
    )
