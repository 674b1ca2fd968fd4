"""Interleaved rounds: every model in turn, in balanced order, until precise or out of budget.

A round runs a block of forwards of each model. The first forward after another model ran finds the
caches cold: where forwards are short, it is marked `switch` and left out. Orders come in balanced
sets (AB then BA for two models, a rotated square for more), re-drawn for each set, so that drift
falls on all models alike.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from bench.core.events import Phase, Sample
from bench.core.rounds import WARMUP_FORWARDS, WARMUP_S, balanced_orders, block_size
from bench.core.units import NS
from bench.worker.clock import Clock, Mark

Forward = Callable[[], object]

SHORT_FORWARD_S = 0.03
"""The first forward after a switch of model finds the other's weights in the caches, which costs
one pass over the last-level cache at most (32 MB at 10 GB/s: 3 ms). Of a shorter forward that is a
share worth leaving out; of longer ones no difference was found (0.994-1.003 at 87 ms to 0.5 s)."""
LONG_FORWARD_S = 1.0
"""A forward this long warms up by itself: what it sets up once is a small part of it."""
FIRST_INTERIM = 8
"""Rounds before precision is first judged; it is judged again at each doubling."""


MOST_BUDGETS = 10
"""For how many budgets to wait for a valid round before giving the workload up."""


class Watch(Protocol):
    """Reads the state of the machine between rounds."""

    def begin(self) -> None:
        """A round begins now."""

    def end(self, number: int) -> bool:
        """A round has ended; whether its samples can be used."""


class Running(NamedTuple):
    """A forward that was begun: phase, round, and the moments around its call."""

    phase: Phase
    round: int
    start: Mark
    stop: Mark


@dataclass(frozen=True)
class Limits:
    """When to stop: `budget_s` of sampling for all models together, or the wanted precision.

    `precision` is the half-width of the 95 % interval of the median log-ratio within this process.
    """

    budget_s: float
    precision: float


REFERENCE_GEMM = "(reference GEMM)"
GEMM_BLOCK = 3
"""Samples of it in a round, of which the fastest counts: a tenth of a round or less."""


@dataclass
class ReferenceGemm:
    """A fixed piece of work, run at the start of each round; `samples` keeps every run of it."""

    work: Forward
    samples: list[Sample] = field(default_factory=list)


@dataclass
class Sampler:
    """Samples the forwards of one workload; the clock and the random order are its seams."""

    clock: Clock
    rng: random.Random
    limits: Limits
    watch: Watch | None = None
    reference: ReferenceGemm | None = None
    leave_out: bool = False
    """Whether to leave the first forward after a switch of model out, however long it is."""
    before: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    """By name, what is called before each forward and belongs to no time."""
    _last: str = field(default="", init=False)
    _switch: Phase = field(default=Phase.SWITCH, init=False)

    def warm_up(self, name: str, forward: Forward, *, again: bool = False) -> list[Sample]:
        """Run one model until it is warm; every forward is kept, marked `warmup`.

        `again` says that it ran in this process before, on another workload: then one forward
        suffices. On a quiet machine the first of a new shape took 2.5 % longer than later ones,
        the second 1.2 %, the third 0.3 % (median of 32).
        """
        timed: list[Sample] = []
        began = self.clock.wall_ns()
        while not timed or not (
            again
            or (len(timed) >= WARMUP_FORWARDS and (self.clock.wall_ns() - began) * NS >= WARMUP_S)
        ):
            running = self._run(name, forward, Phase.WARMUP, 0)
            self.clock.synchronize()
            timed.extend(self._read([running]))
            if timed[-1].wall_s > LONG_FORWARD_S:
                break
        self._last = name
        return timed

    def rounds(
        self,
        forwards: dict[str, Forward],
        warm_s: dict[str, float],
        begin_round: Callable[[int], object] | None = None,
    ) -> dict[str, list[Sample]]:
        """Sample all `forwards` in rounds; `warm_s` is a warm duration of each, to size blocks.

        `begin_round` hears each round's number, so that inputs can change from round to round.
        """
        samples: dict[str, list[Sample]] = {name: [] for name in forwards}
        minima: dict[str, list[float]] = {name: [] for name in forwards}
        # One size for all: a minimum of more forwards is lower, and would favour its model.
        size = block_size(sum(warm_s.values()) / len(warm_s))
        short = min(warm_s.values()) < SHORT_FORWARD_S
        self._switch = Phase.SWITCH if short or self.leave_out else Phase.SAMPLE
        began = self.clock.wall_ns()
        for count, order in enumerate(balanced_orders(list(forwards), self.rng), start=1):
            if begin_round is not None:
                begin_round(count)
            for name, block in self._round(order, forwards, size, count).items():
                samples[name].extend(block)
                minima[name].extend(_minimum(block))
            if count % len(order):  # a set of orders is only balanced when it is whole
                continue
            if self._spent(began, kept=bool(minima[order[0]])):
                break
            at = self.limits.precision > 0 and _is_interim(count, len(order))
            if at and self._precise(list(minima.values())):
                break
        return samples

    def _round(
        self, order: list[str], forwards: dict[str, Forward], size: int, count: int
    ) -> dict[str, list[Sample]]:
        """A block of each model; all of it marked when the round cannot be used."""
        if self.watch is not None:
            self.watch.begin()
        fixed: list[Running] = []
        if self.reference is not None:
            # Under a name of its own, so that it is a switch and the next model's forward as well.
            fixed = self._block(REFERENCE_GEMM, self.reference.work, GEMM_BLOCK, count)
        running = {name: self._block(name, forwards[name], size, count) for name in order}
        self.clock.synchronize()
        gemms = self._read(fixed)
        blocks = {name: self._read(block) for name, block in running.items()}
        if self.watch is not None and not self.watch.end(count):
            gemms = _invalid(gemms)
            blocks = {name: _invalid(block) for name, block in blocks.items()}
        if self.reference is not None:
            self.reference.samples.extend(gemms)
        return blocks

    def _spent(self, began: int, *, kept: bool) -> bool:
        """Whether the budget is; it is stretched while there is no round that can be used."""
        spent_s = (self.clock.wall_ns() - began) * NS
        if not kept and spent_s >= MOST_BUDGETS * self.limits.budget_s:
            raise RuntimeError("every round was invalid: the machine slept, or its clock was set")
        return kept and spent_s >= self.limits.budget_s

    def _block(self, name: str, forward: Forward, size: int, count: int) -> list[Running]:
        phases = [Phase.SAMPLE] * size
        if self._last != name:
            self._last = name
            phases = [Phase.SWITCH, *phases] if self._switch is Phase.SWITCH else phases
        return [self._run(name, forward, phase, count) for phase in phases]

    def time(self, forward: Forward, forwards: int) -> list[float]:
        """Seconds of a few forwards, without rounds: for comparing this way to time with others."""
        running = [self._run("", forward, Phase.SAMPLE, 0) for _ in range(forwards)]
        self.clock.synchronize()
        return [timed.wall_s for timed in self._read(running)]

    def _run(self, name: str, forward: Forward, phase: Phase, count: int) -> Running:
        """Begin one forward; a device may still be at it afterwards."""
        if name in self.before:
            self.before[name]()
        start = self.clock.start()
        forward()
        return Running(phase, count, start, self.clock.stop())

    def _read(self, block: Sequence[Running]) -> list[Sample]:
        """What the forwards of a block took; the device is done."""
        clock = self.clock
        return [
            Sample(
                phase,
                count,
                start.wall_ns * NS,
                clock.seconds(start, stop),
                (stop.cpu_ns - start.cpu_ns) * NS,
                (stop.wall_ns - start.wall_ns) * NS if clock.has_device else None,
            )
            for phase, count, start, stop in block
        ]

    def _precise(self, minima: Sequence[Sequence[float]]) -> bool:
        if len(minima[0]) < FIRST_INTERIM:  # too many rounds were invalid
            return False
        reference = minima[0] if len(minima) > 1 else [1.0] * len(minima[0])
        others = minima[1:] or minima
        return all(
            median_half_width([math.log(a / b) for a, b in zip(other, reference, strict=True)])
            <= self.limits.precision
            for other in others
        )


def _invalid(block: Sequence[Sample]) -> list[Sample]:
    """The same forwards, marked as of a round that cannot be used."""
    return [replace(timed, phase=Phase.INVALID) for timed in block]


def _minimum(block: Sequence[Sample]) -> list[float]:
    """The fastest sample of a block; none where the block cannot be used."""
    walls = [t.wall_s for t in block if t.phase == Phase.SAMPLE]
    return [min(walls)] if walls else []


def median_half_width(values: Sequence[float]) -> float:
    """Half the width of the 95 % order-statistic interval of the median (normal approximation)."""
    ordered, n = sorted(values), len(values)
    reach = 0.98 * math.sqrt(n)
    low, high = math.floor((n - 1) / 2 - reach), math.ceil((n - 1) / 2 + reach)
    return (ordered[min(high, n - 1)] - ordered[max(low, 0)]) / 2


def _is_interim(count: int, models: int) -> bool:
    """Whether precision is judged after so many rounds: the first whole set at 8, 16, 32 ...

    Few and fixed, since judging after every round would stop at lucky moments.
    """
    at = FIRST_INTERIM
    while at < count - models + 1:
        at *= 2
    return count - models < at <= count
