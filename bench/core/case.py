"""What is measured: models, variants, workloads, cases, suites; frozen values, no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from bench.core.axes import Variant
from bench.core.measure import Measure

COMPARED = "~"
"""Marks the parts of a case's id in which the cases of a group differ, where not by model."""


OWN_LENGTHS = 0
"""The `seq_len` of a workload whose sequences are as long as the user's text makes them."""


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
        variant = list(self.variant.compared)
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
    """Whether its number of threads distinguishes a case from the others of its group."""
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
