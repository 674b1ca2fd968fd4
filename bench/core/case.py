"""What is measured: models, variants, workloads, cases, suites; frozen values, no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from bench.core.axes import Variant
from bench.core.errors import UsageError, check_seconds

COMPARED = "~"
"""Marks the parts of a case's id in which the cases of a group differ, where not by model."""


SUITE_NAME = re.compile(r"[A-Za-z0-9][\w-]*")
"""A suite's name is the first part of its cases' ids, and an argument of the command."""


class Measure(str, Enum):
    """A kind of measurement, in the order they run; each has one module in `bench.worker.measures`.

    Timing comes last, since it is what takes whatever time is left.
    """

    VERIFY = "verify"  # once before a run with pretrained weights; no suite asks for it
    STATIC = "static"
    COLD_START = "cold_start"
    MEMORY = "memory"
    CAPACITY = "capacity"
    FORWARD = "forward"
    TEXT = "text"


TIMED = (Measure.FORWARD, Measure.TEXT)
"""What is sampled in interleaved rounds until it is precise."""

OWN_LENGTHS = 0
"""The `seq_len` of a workload whose sequences are as long as the user's text makes them."""


class Weights(str, Enum):
    """Where weights come from: asked for (`auto` too) and, in results, what was really used."""

    AUTO = "auto"
    PRETRAINED = "pretrained"
    RANDOM = "random"


class Status(str, Enum):
    """How a case ended. Only `ok` has trustworthy numbers; every other one has a reason."""

    OK = "ok"
    FAILED = "failed"
    OUT_OF_MEMORY = "out-of-memory"
    TIMED_OUT = "timed-out"
    KILLED = "killed"
    SKIPPED = "skipped"
    """This machine or installation cannot run it, which is no fault of the run."""


class Stop(str, Enum):
    """Why a timed case stopped sampling."""

    PRECISION = "precision"
    BUDGET = "budget"
    MAX_TIME = "max-time"
    NONE = ""


class Compares(str, Enum):
    """In what the cases of a group differ, which are sampled in turn and compared."""

    MODELS = "models"
    VARIANTS = "variants"
    THREADS = "threads"


@dataclass(frozen=True)
class Architecture:
    """Published facts of an encoder, enough to build it without a checkpoint.

    Sizes are counts (tokens, units, layers). `distinct_layers` is how many of the `layers`
    applications have weights of their own: ALBERT has 1. Source: the models' `config.json`.
    """

    model_type: str
    vocab_size: int
    embedding_size: int
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    activation: str = "gelu"
    distinct_layers: int | None = None
    max_tokens: int = 512
    pooler: bool = True
    config: Mapping[str, object] = field(default_factory=dict, hash=False)
    """Arguments of the transformers config that the facts above do not name."""

    @property
    def shares_layers(self) -> bool:
        """Whether one stored layer is applied several times."""
        return (self.distinct_layers or self.layers) < self.layers

    @property
    def projects_embeddings(self) -> bool:
        """Whether embeddings are projected to the hidden size; ALBERT's are, also of equal size."""
        return self.embedding_size != self.hidden_size or self.model_type == "albert"


@dataclass(frozen=True)
class Model:
    """One model to measure, by the name that stands in every result row.

    `source` is a hub id or a local directory; `architecture` is None for a model that is known
    only from its checkpoint, which then cannot be built with random weights.
    """

    name: str
    source: str
    architecture: Architecture | None = None
    revision: str | None = None
    config: Mapping[str, object] = field(default_factory=dict, hash=False)
    """Values that replace those of the checkpoint's config: the same weights, run otherwise."""

    @property
    def is_directory(self) -> bool:
        """Whether `source` is a path (ids on the hub never start with one of these)."""
        return self.source.startswith((".", "/", "~")) or "\\" in self.source


@dataclass(frozen=True)
class Workload:
    """The shape of one forward: `batch_size` sequences of `seq_len` tokens each."""

    batch_size: int
    seq_len: int

    @property
    def tokens(self) -> int:
        """Tokens in one forward."""
        return self.batch_size * self.seq_len

    def __str__(self) -> str:
        lengths = f"{self.seq_len} tokens" if self.seq_len else "the text's own lengths"
        return f"batch {self.batch_size}, {lengths}"


@dataclass(frozen=True)
class Grid:
    """The workloads of a suite: every batch size with every sequence length."""

    batch_sizes: tuple[int, ...]
    seq_lens: tuple[int, ...]

    def __post_init__(self) -> None:
        for name, least in (("batch_sizes", 1), ("seq_lens", 0)):
            numbers = getattr(self, name)
            if not numbers or not all(type(n) is int and n >= least for n in numbers):
                raise UsageError(f"{name} is {numbers!r}: give whole numbers from {least}")

    def workloads(self) -> list[Workload]:
        """All combinations, small ones first."""
        return sorted(
            (Workload(b, s) for b in set(self.batch_sizes) for s in set(self.seq_lens)),
            key=lambda w: (w.tokens, w.batch_size),
        )


@dataclass(frozen=True)
class Suite:
    """A question, the kind of measurement that answers it, and its workloads per profile."""

    name: str
    title: str
    measure: Measure
    grids: Mapping[str, Grid] = field(hash=False)
    compares: Compares = Compares.MODELS
    variants: tuple[Variant, ...] = ()
    """What a suite that compares variants runs, the reference first; others take the options'."""
    by_default: bool = True
    """Whether `bench run` runs it when no suite is named."""

    def __post_init__(self) -> None:
        if not SUITE_NAME.fullmatch(self.name):
            raise UsageError(f"suite name {self.name!r}: give letters, digits, - and _")
        if not self.grids:
            raise UsageError(f"suite {self.name!r} has no grid: give one for a profile")

    def grid(self, profile: str) -> Grid:
        """The workloads of `profile`; a suite without that profile uses its first one."""
        return self.grids.get(profile) or next(iter(self.grids.values()))


@dataclass(frozen=True)
class Case:
    """model x variant x workload x device: one row of `cases.csv`."""

    suite: str
    measure: Measure
    model: str
    variant: Variant
    workload: Workload
    device: str
    threads: int
    compares: Compares = Compares.MODELS

    @property
    def id(self) -> str:
        """A readable key, unique within a run, that joins the CSV files."""
        variant = [self.variant.dtype, self.variant.attention, *self.variant.run_by]
        threads = f"t{self.threads}"
        if self.compares is Compares.VARIANTS:
            variant = [f"{COMPARED}{part}" for part in variant]
        if self.compares is Compares.THREADS:
            threads = f"{COMPARED}{threads}"
        return "/".join(
            (
                self.suite,
                # A directory's name may begin with the mark.
                self.model.replace("/", "--").replace(COMPARED, "_"),
                self.device,
                *variant,
                *self.variant.setting,
                threads,
                f"b{self.workload.batch_size}",
                f"s{self.workload.seq_len}",
            )
        )

    @property
    def group(self) -> str:
        """The key without what is compared: cases of one group are compared with each other."""
        return group_of(self.id)


def group_of(case_id: str) -> str:
    """The group of a case, from its id alone: without the marked parts, else without the model."""
    parts = case_id.split("/")
    if COMPARED not in case_id:
        return "/".join((parts[0], *parts[2:]))
    return "/".join(part for part in parts if not part.startswith(COMPARED))


def compares_threads(case_id: str, threads: int) -> bool:
    """Whether its number of threads tells a case from the others of its group."""
    return f"{COMPARED}t{threads}" in case_id.split("/")


def references_of(cases: Iterable[tuple[str, str]], first_model: str) -> dict[str, str]:
    """For each case, given as id and model, the id of the one in its group it is compared with.

    That is the case of the run's first model; in groups of one model, the case planned first.
    """
    leads: dict[str, str] = {}
    pairs = list(cases)
    for case, model in pairs:
        if COMPARED in case or model == first_model:
            leads.setdefault(group_of(case), case)
    found = {case: leads.get(group_of(case), case) for case, _ in pairs}
    return {case: lead for case, lead in found.items() if case != lead}


@dataclass(frozen=True)
class Sampling:
    """How long a timed case is sampled (seconds of wall time; a fraction for `precision`)."""

    repeats: int = 5
    min_repeats: int = 3
    precision: float = 0.02
    budget_s: float = 10.0
    max_time_s: float | None = None
    memory_repeats: int = 3

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise UsageError(f"--repeats is {self.repeats}: give 1 or more")
        if not 0 < self.precision < 1:
            raise UsageError(
                f"--precision is {self.precision:g}: give a fraction between 0 and 1, like 0.02"
            )
        check_seconds("--budget", self.budget_s)


@dataclass(frozen=True)
class Profile:
    """A named amount of work: which grid of each suite, and how long to sample."""

    name: str
    sampling: Sampling


PROFILES = {
    # Quick answers within 5 minutes on 2 cores; the limit leaves room for the last repeat to end.
    "quick": Profile("quick", Sampling(repeats=5, budget_s=8.0, max_time_s=262.0)),
    "full": Profile("full", Sampling(repeats=10, min_repeats=5, budget_s=60.0)),
}
