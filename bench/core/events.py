"""What a worker reports to its parent: one dataclass per event, one encoder, one decoder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bench.core.axes import Variant
from bench.core.case import Status
from bench.core.plain import from_plain, to_plain

Row = dict[str, Any]
"""A row of a table of results, by column."""


class Phase(str, Enum):
    """What a timed forward counts for, as it stands in `samples.csv`."""

    WARMUP = "warmup"
    SWITCH = "switch"  # the first after a switch of model, where it is left out
    TOKENIZE = "tokenize"
    SAMPLE = "sample"
    INVALID = "invalid"  # in a round that cannot be used


@dataclass(frozen=True)
class Sample:
    """One timed forward, in seconds; `at_s` counts from the worker's start."""

    phase: Phase
    round: int
    at_s: float
    wall_s: float
    cpu_s: float
    host_s: float | None = None
    """How long the host was busy with it, where `wall_s` is the device's time.

    In a round that includes waiting for what the device has queued; in the warm-up it does not.
    """


@dataclass(frozen=True)
class Measurement:
    """One counted or read value; `unit` is that of the metric."""

    metric: str
    unit: str
    value: float


@dataclass(frozen=True)
class Ready:
    """The worker has imported its libraries and begins with its job."""


@dataclass(frozen=True)
class Begin:
    """These cases (ids) come next: who is to blame when the worker dies."""

    cases: tuple[str, ...]


@dataclass(frozen=True)
class Measurements:
    """Values of a case."""

    case: str
    rows: tuple[Measurement, ...]


@dataclass(frozen=True)
class Samples:
    """All timed forwards of a case in this process; sent last, they say that it is whole."""

    case: str
    rows: tuple[Sample, ...]


@dataclass(frozen=True)
class Rounds:
    """What happened to the machine in each round in which a group was sampled."""

    group: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Gemm:
    """The runs of the reference GEMM in the rounds of a group."""

    group: str
    rows: tuple[Sample, ...]


@dataclass(frozen=True)
class Failed:
    """A case cannot be measured, and why."""

    case: str
    status: Status
    reason: str


@dataclass(frozen=True)
class Verified:
    """A checkpoint was loaded right; its fill-mask predictions, if it makes any."""

    case: str
    predictions: tuple[Row, ...]


@dataclass(frozen=True)
class Packages:
    """What a variant needs beyond torch on a type of device: version by package."""

    variant: Variant
    device: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Software:
    """Versions and devices as a worker sees them, with the packages of the variants asked for."""

    facts: Row
    packages: tuple[Packages, ...] = ()


class Quantity(str, Enum):
    """What the self-test measures, of which the true value or a limit is known."""

    OVERHEAD = "overhead"  # seconds per sample of a do-nothing forward
    ROUND_READING = "round-reading"  # seconds to read the machine's state, once a round
    ADDED_DELAY = "added-delay"  # seconds by which one forward is longer than another
    ALLOCATION = "allocation"  # peak activation bytes


@dataclass(frozen=True)
class Known:
    """What was measured of such a quantity, from so many samples."""

    quantity: Quantity
    value: float
    samples: int


@dataclass(frozen=True)
class Compared:
    """A case timed our way and another `way` in turn: log of our time over the other, by round."""

    case: str
    way: str
    log_ratios: tuple[float, ...]


@dataclass(frozen=True)
class Finished:
    """The worker has done its job; `spent` has seconds by what they were spent on."""

    spent: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """How the process ended: the last event of every worker, made by its parent.

    `signal` is the name of the signal that ended it, if one did.
    """

    status: Status = Status.OK
    reason: str = ""
    signal: str = ""


Event = (
    Ready
    | Begin
    | Measurements
    | Samples
    | Rounds
    | Gemm
    | Failed
    | Verified
    | Software
    | Known
    | Compared
    | Finished
    | Ended
)
KINDS: dict[str, type[Event]] = {kind.__name__.lower(): kind for kind in Event.__args__}
"""Every kind of event by its name in a line."""


def encode(event: Event) -> str:
    """The event as one line of JSON, without the line's end."""
    return json.dumps({"event": type(event).__name__.lower(), **to_plain(event)})


def decode(line: str) -> Event | None:
    """The event in a line; None for what Python's start-up printed, or a library's own JSON."""
    try:
        data = json.loads(line)
        kind = KINDS[data.pop("event")]
        return from_plain(kind, data)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None
