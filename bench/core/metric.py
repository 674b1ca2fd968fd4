"""What a metric declares: its unit, its better direction, how it is judged, where it shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bench.core.measure import Measure


class Unit(str, Enum):
    """Units as they stand in the `unit` columns: SI, never scaled."""

    SECONDS = "s"
    BYTES = "B"
    PER_SECOND = "1/s"
    COUNT = "1"
    JOULES = "J"


class Better(Enum):
    """Which direction is an improvement; without one, models are not compared by the metric."""

    LESS = "less"
    MORE = "more"
    NEITHER = "neither"


class Judged(Enum):
    """How a comparison of two runs judges a metric, which follows from how its value arises."""

    EXACTLY = "counted: the least difference is a change"
    WITHIN_ALLOCATOR = "counted by an allocator: on CUDA a difference of a block is none"
    PAIRED = "timed in turn: by its interval, and as the ratio between two models"
    BY_INTERVAL = "measured: by its interval, where the fingerprints are equal"
    AS_SHARE = "timed beside a reference: by its interval, though the machine's load differ"
    NEVER = "measured: derived from what is judged, or too noisy to be"


class Scale(Enum):
    """What a column of the page multiplies values by, and what its title says of that."""

    ONE = (1.0, "")
    PERCENT = (100.0, ", %")
    MILLIONS = (1e-6, ", M")
    BILLIONS = (1e-9, "")
    MILLISECONDS = (1e3, ", ms")
    MEGABYTES = (1e-6, ", MB")
    RATE = (1.0, "/s")
    JOULES = (1.0, ", J")


USUAL_SCALE = {
    Unit.SECONDS: Scale.MILLISECONDS,
    Unit.BYTES: Scale.MEGABYTES,
    Unit.PER_SECOND: Scale.RATE,
    Unit.COUNT: Scale.ONE,
    Unit.JOULES: Scale.JOULES,
}


@dataclass(frozen=True)
class TerminalRow:
    """A row of the table at the end of a run; summary.csv has every metric."""


@dataclass(frozen=True)
class Column:
    """A column in the page's tables of the cases of these kinds, in one scale for all rows.

    `interval`: each value has its interval in brackets. `ratio`: a column with the ratio to the
    reference follows.
    """

    title: str
    kinds: tuple[Measure, ...]
    scale: Scale | None = None
    interval: bool = True
    ratio: bool = False


@dataclass(frozen=True)
class Headline:
    """One of the quantities the page opens with.

    Of several metrics with one title, the first that all models have is shown. `what` says what
    the value is, `suite` which suite measures it. `varies`: it depends on the workload.
    """

    title: str
    what: str
    suite: str
    varies: bool = True


class Disturbance(Enum):
    """Something that disturbs timed processes, as a row of the page; how a run sums it up."""

    TOTAL = "in total"
    HIGHEST = "at most"


Surface = TerminalRow | Column | Headline | Disturbance

ALLOCATOR_TOLERANCE = 0.01
"""CUDA's caching allocator rounds to its blocks, as what came before left them."""


@dataclass(frozen=True)
class Metric:
    """One named quantity: all that terminal, page, exports and gate need to know of it.

    `shown` says where it shows beside summary.csv, which has every metric. Raises ValueError for a
    declaration that contradicts itself.
    """

    name: str
    unit: Unit
    title: str
    better: Better
    judged: Judged
    shown: tuple[Surface, ...]

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or not self.title:
            raise ValueError(f"metric {self.name!r} needs an identifier as its name, and a title")
        for value, kind in ((self.unit, Unit), (self.better, Better), (self.judged, Judged)):
            if not isinstance(value, kind):
                raise ValueError(f"metric {self.name!r}: {value!r} is no {kind.__name__}")  # noqa: TRY004 - a declaration, not a call
        if self.exact and self.unit in (Unit.SECONDS, Unit.PER_SECOND):
            raise ValueError(f"metric {self.name!r}: seconds are never counted exactly")

    @property
    def exact(self) -> bool:
        """Whether the same code gives the same value to the last digit: it has no interval."""
        return self.judged in (Judged.EXACTLY, Judged.WITHIN_ALLOCATOR)

    @property
    def is_compared(self) -> bool:
        """Whether a ratio between two models means anything."""
        return self.better is not Better.NEITHER

    @property
    def in_terminal(self) -> bool:
        """Whether it is in the table at the end of a run."""
        return any(isinstance(place, TerminalRow) for place in self.shown)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns in the page's tables of cases."""
        return tuple(place for place in self.shown if isinstance(place, Column))

    @property
    def headline(self) -> Headline | None:
        """What the page opens with about it, if it does."""
        return next((place for place in self.shown if isinstance(place, Headline)), None)

    @property
    def disturbance(self) -> Disturbance | None:
        """How a run sums it up as a disturbance, if it is one."""
        return next((place for place in self.shown if isinstance(place, Disturbance)), None)

    def tolerance(self, device: str) -> float:
        """The share by which an exact metric may differ on this device and still be equal."""
        on_cuda = self.judged is Judged.WITHIN_ALLOCATOR and device.startswith("cuda")
        return ALLOCATOR_TOLERANCE if on_cuda else 0.0
