"""`bench run`: plan, measure case by case, keep every result at once, and sum up at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from bench.checkpoints.resolve import Checkpoint
from bench.core.allocator import Allocator
from bench.core.architecture import Model
from bench.core.case import Case, Status, Stop, references_of
from bench.core.events import (
    Begin,
    Ended,
    Event,
    Failed,
    Finished,
    Gemm,
    Measurement,
    Measurements,
    Phase,
    Rounds,
    Sample,
    Samples,
)
from bench.core.measure import Processes, in_order
from bench.core.plain import to_plain
from bench.core.suite import Sampling
from bench.plan.jobs import Job, Source, identity, job_batches, processes_of
from bench.results import store as records
from bench.runner.capacity_search import Search, TryError
from bench.runner.display import Display
from bench.runner.process import Launcher
from bench.runner.progress import End, Progress
from bench.runner.schedule import LEAST_PROCESSES, Pace
from bench.runner.stopping import StoppingRule

NO_TIME = (
    "no time is left within {:.0f} s for {} processes of it: give fewer workloads, or --processes, "
    "which lifts the limit"
)
INTERIM_EVERY = 2
"""Precision is judged at `min_processes`, then after every so many: few, fixed interim analyses."""


@dataclass
class Runner:
    """One run: what is to be measured, what has been, and where it goes.

    `now` gives seconds of a clock that never goes back; it and `launcher` are seams for tests.
    `stopping` says whether to stop, with a KeyboardInterrupt, as soon as nothing is half measured.
    """

    writer: records.RunWriter
    launcher: Launcher
    display: Display
    sampling: Sampling
    timeout_s: float
    seed: int
    models: Sequence[Model]
    sources: dict[str, Source]
    checkpoints: dict[str, Checkpoint | None]
    cases: Sequence[Case]
    text: str | None = None
    memory_limit: int | None = None
    allocator: Allocator = Allocator.STEADY
    before_s: float = 0.0
    """Seconds that the command took before it measures: a part of the time it has."""
    now: Callable[[], float] = time.monotonic
    stopping: Callable[[], bool] = lambda: False
    done: dict[str, Status] = field(default_factory=dict)
    processes: dict[str, set[int]] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    rule: StoppingRule = field(init=False)
    pace: Pace = field(init=False)
    _budgets_s: Mapping[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        planned = [(c.id, c.model) for c in self.cases]
        self.rule = StoppingRule(references_of(planned, self.models[0].name))
        timed = [case for case in self.cases if case.measure.timed]
        sampling = self.sampling
        self.pace = Pace.assume(timed, self.models, sampling.processes, sampling.budget_s)

    def measure(self) -> None:
        """Measure every case that is not done yet."""
        began = self.now() - self.before_s
        if self.processes:  # a run that is finished: what it held counts as well
            from bench.runner.stopping import stopping_rule_of

            self.rule = stopping_rule_of(records.read_run(self.writer.directory))
        for kind in in_order(case.measure for case in self.cases):
            batches = job_batches(self._open(self.cases), kind)
            if kind.timed:
                self._sample(batches, began)
                continue
            if kind.processes is Processes.SEARCHED:
                for case in self._open(c for batch in batches for c in batch):
                    self._capacity(case)
                continue
            for process in range(1, processes_of(kind, self.sampling) + 1):
                for batch in batches:
                    self._process(batch, process)
            for case in self._open(c for batch in batches for c in batch):
                self._finish(case, Stop.NONE)

    def _open(self, cases: Iterable[Case]) -> list[Case]:
        return [c for c in cases if c.id not in self.done]

    def _sample(self, batches: list[list[Case]], began: float) -> None:
        """Processes outermost, until all are done, or precise, or what is left is too short."""
        for process in range(1, self.sampling.processes + 1):
            pending = [
                case
                for case in self._open(c for batch in batches for c in batch)
                if process not in self.processes.get(case.id, ())
            ]
            if not pending:
                continue
            if not self._plan(pending, process, began):
                self.stop_all(batches, Stop.MAX_TIME)
                return
            start = self.now()
            for batch in batches:
                self._process(batch, process)
            self.pace.end_process(self.now() - start)
            since = process - self.sampling.min_processes
            if self.sampling.stops_early and since >= 0 and since % INTERIM_EVERY == 0:
                self._stop_precise(batches)
        self.stop_all(batches, Stop.BUDGET)

    def _plan(self, pending: Sequence[Case], process: int, began: float) -> bool:
        """Give each group seconds for its rounds in this process; whether there is time for it."""
        groups: dict[str, int] = {}
        for case in pending:
            groups[case.group] = groups.get(case.group, 0) + 1
        limit = self.sampling.max_time_s
        if limit is None:
            each_s = self.sampling.budget_s / self.sampling.processes
            self._budgets_s = {group: count * each_s for group, count in groups.items()}
            return True
        self.pace.keep(groups)
        left_s = limit - (self.now() - began)
        self._budgets_s = self.pace.plan(left_s, process - 1).budgets_s
        if process <= LEAST_PROCESSES:
            for case in pending:
                if case.group not in self._budgets_s:
                    self._fail(case, Status.SKIPPED, NO_TIME.format(limit, LEAST_PROCESSES))
        return bool(self._budgets_s)

    def stop_all(self, batches: list[list[Case]], stop: Stop) -> None:
        """Finish whatever is still open."""
        for case in self._open(c for batch in batches for c in batch):
            self._finish(case, stop)

    def _stop_precise(self, batches: list[list[Case]]) -> None:
        """Finish the workloads whose ratios are known as precisely as was asked."""
        failed = {case for case, status in self.done.items() if status is not Status.OK}
        ready = self.rule.precise_groups(self.sampling.precision, failed)
        for case in self._open(c for batch in batches for c in batch):
            if case.group in ready:
                self._finish(case, Stop.PRECISION)

    def _process(self, batch: Sequence[Case], process: int) -> None:
        """One fresh process for a batch; another one for what is left when a worker dies."""
        left = [c for c in self._open(batch) if process not in self.processes.get(c.id, ())]
        while left:
            started = self._job(left, process)
            left = [c for c in self._open(left) if c.id not in started]

    def _order(self, cases: Sequence[Case], process: int) -> Job:
        """What one worker is to do."""
        measure = cases[0].measure
        return Job(
            measure=measure,
            process=process,
            cases=tuple(cases),
            models=tuple(self.models),
            sources=self.sources,
            threads=max(c.threads for c in cases),
            seed=self.seed,
            budgets_s=dict(self._budgets_s) if measure.timed else {},
            precision=self.sampling.precision if self.sampling.stops_early else 0.0,
            allocator=self.allocator.of(measure.allocator),
            text=self.text,
            memory_limit=self.memory_limit,
        )

    def _capacity(self, case: Case) -> None:
        """Find the largest batch of a case; one that does not fit is an answer, not a failure."""
        if self.processes.get(case.id):  # found before the run was interrupted
            self._finish(case, Stop.NONE)
            return

        def before(tried: Case) -> None:
            self._stop_if_asked()
            self.display.begin([tried], 1)

        job = self._order([case], 1)
        search = Search(self.launcher, job, self.timeout_s, before, self._spend)
        try:
            rows = search.run()
        except TryError as error:
            self._fail(case, error.status, str(error))
            return
        if not rows:
            self._fail(case, Status.SKIPPED, f"not even a batch of 1 fits: {search.refusal}")
            return
        self._write("measurements", case.id, job, rows)
        self._deliver(Progress({case.id: case}), case.id, 1)
        self._finish(case, Stop.NONE)

    def _job(self, cases: Sequence[Case], process: int) -> set[str]:
        """Run one worker; returns the cases that it began. Those it died on are failed."""
        job = self._order(cases, process)
        by_id = {c.id: c for c in cases}
        progress = Progress(by_id)
        began = self.now()
        self._stop_if_asked()
        with closing(self.launcher.run(job, self.timeout_s + self._silence(job))) as events:
            for event in events:
                if isinstance(event, Begin):
                    self._stop_if_asked()
                self._handle(event, job, progress)
        self._spend({"workers_s": self.now() - began})
        return progress.delivered | set(self.done)

    def _stop_if_asked(self) -> None:
        """Called where all that was begun is measured and kept."""
        if self.stopping():
            raise KeyboardInterrupt

    def _silence(self, job: Job) -> float:
        """Seconds for which a healthy worker may say nothing: one workload's whole sampling."""
        if not job.measure.timed:
            return 0.0
        return max(job.budgets_s.values())

    def _handle(self, event: Event, job: Job, progress: Progress) -> None:
        match event:
            case Begin(cases):
                progress.current = [c for c in cases if c not in self.done]
                self.display.begin([progress.cases[c] for c in cases], job.process)
            case Samples(case, rows):
                self._write("samples", case, job, rows)
                walls = ((r.round, r.wall_s) for r in rows if r.phase is Phase.SAMPLE)
                self.rule.add(case, job.process, walls)
                # The samples of a timed case come last: with them on disk its process is whole.
                self._deliver(progress, case, job.process)
            case Measurements(case, rows):
                self._write("measurements", case, job, rows)
                if not job.measure.timed:
                    self._deliver(progress, case, job.process)
            case Rounds(group, rows):
                self.pace.add_rounds(group, rows)
                self.writer.append_batch("rounds", group, job.process, rows)
            case Gemm(group, rows):
                self._write("gemm", group, job, rows)
            case Failed(case, status, reason) if case not in self.done:  # a case has one end
                self._fail(progress.cases[case], status, reason)
            case Finished(spent):
                self._spend(spent)
            case Ended():
                self._ended(event, progress)

    def _write(self, table: str, name: str, job: Job, rows: Iterable[Sample | Measurement]) -> None:
        self.writer.append_batch(table, name, job.process, [to_plain(row) for row in rows])

    def _ended(self, event: Ended, progress: Progress) -> None:
        for name, status, reason in progress.blame(event, self.done):
            self._fail(progress.cases[name], status, reason)

    def _deliver(self, progress: Progress, name: str, process: int) -> None:
        progress.delivered.add(name)
        self.processes.setdefault(name, set()).add(process)
        self.display.advance(progress.cases[name])

    def _spend(self, spent: dict[str, float]) -> None:
        for key, seconds in spent.items():
            self.spent[key] = self.spent.get(key, 0.0) + seconds

    def _finish(self, case: Case, stop: Stop) -> None:
        self._close(case, Status.OK, "", stop)

    def _fail(self, case: Case, status: Status, reason: str) -> None:
        self._close(case, status, reason, Stop.NONE)

    def _close(self, case: Case, status: Status, reason: str, stop: Stop) -> None:
        checkpoint = self.checkpoints[case.model]
        source = next(m.source for m in self.models if m.name == case.model)
        end = End(status, reason, len(self.processes.get(case.id, ())), stop)
        row = {**identity(case, self.sources), **end.columns(case, source, checkpoint)}
        self.writer.append("cases", [row])
        self.done[case.id] = status
        self.display.finish(case, status, reason)
