"""What every measurement in a worker shares: loading with its cost, and reporting to the parent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from bench.core.architecture import Model, Weights
from bench.core.axes import Variant
from bench.core.case import Case, Status
from bench.core.errors import BenchError, UnsupportedError
from bench.core.events import (
    Begin,
    Event,
    Failed,
    Gemm,
    Measurement,
    Measurements,
    Rounds,
    Row,
    Sample,
    Samples,
)
from bench.core.metrics import metric
from bench.core.units import NS
from bench.plan.jobs import Job, Source
from bench.worker.clock import Clock
from bench.worker.loading import import_model_code, load
from bench.worker.variants import require

Emit = Callable[[Event], None]


@dataclass
class Session:
    """One worker's job, the way back to the parent, and the clock (at `began_s` it started)."""

    job: Job
    emit: Emit
    clock: Clock
    spent: dict[str, float] = field(default_factory=dict)
    began_s: float = 0.0
    warm: set[object] = field(default_factory=set)
    """What ran in this process before, on some workload: engines by their keys."""

    def load(self, case: Case, variant: Variant | None = None) -> torch.nn.Module:
        """Load the case's model and add the time it took to what was spent on loading.

        As the case's variant, or as another `variant` from which that one is to be made. Raises
        UnsupportedError for what cannot run here, however slowly.
        """
        require(case.variant, case.device, timed=False)
        model, source = self.named(case.model)
        directory = Path(source.directory) if source.directory else None
        with self.spend("load_s"):
            random = source.weights is Weights.RANDOM
            return load(model, variant or case.variant, directory, case.device, random=random)

    def directory(self, case: Case) -> Path:
        """Where the checkpoint of the case's model lies."""
        source = self.named(case.model)[1]
        if source.directory is None:
            raise BenchError(f"{case.model} has no checkpoint")
        return Path(source.directory)

    def import_model_code(self, case: Case) -> None:
        """Import what loading the case's model will need."""
        model, source = self.named(case.model)
        import_model_code(model, Path(source.directory) if source.directory else None)

    def named(self, name: str) -> tuple[Model, Source]:
        """The model of the job with this name, and where its weights come from."""
        return next(m for m in self.job.models if m.name == name), self.job.sources[name]

    @contextmanager
    def spend(self, name: str) -> Iterator[None]:
        """Add the wall time of the block to `spent[name]`."""
        began = time.perf_counter_ns()
        try:
            yield
        finally:
            self.spent[name] = self.spent.get(name, 0.0) + (time.perf_counter_ns() - began) * NS

    def add_spent(self, name: str, seconds: Iterable[float]) -> None:
        """Add what was measured otherwise to `spent[name]`."""
        self.spent[name] = self.spent.get(name, 0.0) + sum(seconds)

    def each(self, measure: Callable[[Session, Case], dict[str, float]]) -> None:
        """Report what `measure` gives for each case of the job, or why it could not."""
        for case in self.job.cases:
            self.begin([case])
            try:
                values = measure(self, case)
            except Exception as error:  # noqa: BLE001 - whatever a model raises becomes its reason
                self.failed([case], error)
                continue
            self.measured(case, values)

    def begin(self, cases: Iterable[Case]) -> None:
        """Say which cases come next, so that the parent knows whom to blame for a death."""
        self.emit(Begin(tuple(c.id for c in cases)))

    def samples(self, case: Case, timed: Iterable[Sample]) -> None:
        """Report all samples of a case in this process."""
        self.emit(Samples(case.id, self._rows(timed)))

    def gemm(self, group: str, timed: Iterable[Sample]) -> None:
        """Report the runs of the reference GEMM in the rounds of a group."""
        self.emit(Gemm(group, self._rows(timed)))

    def _rows(self, timed: Iterable[Sample]) -> tuple[Sample, ...]:
        """The samples with their beginnings counted from the worker's own."""
        return tuple(replace(t, at_s=t.at_s - self.began_s) for t in timed)

    def rounds(self, group: str, rows: Iterable[Row]) -> None:
        """Report what happened to the machine in the rounds of a group."""
        self.emit(Rounds(group, tuple(rows)))

    def measured(self, case: Case, values: dict[str, float]) -> None:
        """Report counted or read values of a case, by metric name."""
        rows = (
            Measurement(name, metric(name).unit.value, float(value))
            for name, value in values.items()
        )
        self.emit(Measurements(case.id, tuple(rows)))

    def failed(self, cases: Iterable[Case], error: BaseException) -> None:
        """Report that these cases cannot be measured, and why."""
        status, reason = classify(error)
        for case in cases:
            self.emit(Failed(case.id, status, reason))


OUT_OF_MEMORY = (
    *("can't allocate memory", "out of memory", "not enough memory", "bad_alloc"),
    *("cublas_status_alloc_failed", "cudnn_status_alloc_failed"),
)
"""How torch's CPU allocator, its CUDA one, CUDA's libraries and the C++ runtime say that memory is
exhausted."""


def classify(error: BaseException) -> tuple[Status, str]:
    """Status and one-line reason of an exception that a case raised."""
    if isinstance(error, UnsupportedError):
        return Status.SKIPPED, str(error)
    lines = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    exhausted = isinstance(error, MemoryError) or any(
        sign in str(error).lower() for sign in OUT_OF_MEMORY
    )
    return (Status.OUT_OF_MEMORY if exhausted else Status.FAILED), reason
