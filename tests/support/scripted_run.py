"""A run of scripted workers whose every number is known, for tests that kill and starve it."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import fakes

from bench.core.case import Case
from bench.core.events import Event, Samples
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.core.suite import Sampling
from bench.plan.jobs import Job
from bench.results import store as records
from bench.runner.display import Display
from bench.runner.finalize import conclude
from bench.runner.resume import carry_over, whole_processes
from bench.runner.runner import Runner

CASES = [
    *fakes.pair(measure=STATIC),
    *fakes.pair(measure=MEMORY, batch_size=2),
    *fakes.pair(seq_len=8),
    *fakes.pair(seq_len=16),
]
REPEATS = 4
ROUNDS = 3


def wall_ns(case: str, process: int, number: int) -> int:
    """The one true duration of a sample."""
    return 1_000_000 + zlib.crc32(f"{case} {process} {number}".encode()) % 1_000_000


def true(event: Samples, process: int) -> Samples:
    """The event with the true durations."""
    return fakes.rewall(event, lambda sample: wall_ns(event.case, process, sample.round) / 1e9)


def events(job: Job, pause_s: float = 0.0) -> Iterator[Event]:
    """What a healthy worker says, with the true durations; it takes a while before each word."""
    for event in fakes.worker_events(job, rounds=ROUNDS):
        if pause_s:
            time.sleep(pause_s)
        yield true(event, job.process) if isinstance(event, Samples) else event


def runner(
    writer: records.RunWriter,
    display: Display,
    script: Callable[[Job], Iterator[Event]],
    cases: Sequence[Case] = CASES,
) -> Runner:
    """A runner whose workers follow the script."""
    return Runner(
        writer=writer,
        launcher=fakes.ScriptedLauncher(script),
        display=display,
        sampling=Sampling(processes=REPEATS, min_processes=2, precision=1e-6, memory_processes=2),
        timeout_s=60.0,
        seed=0,
        models=(fakes.BERT, fakes.ALBERT),
        sources={"bert": fakes.RANDOM, "albert": fakes.RANDOM},
        checkpoints={"bert": None, "albert": None},
        cases=cases,
    )


def go(
    directory: Path,
    display: Display | None = None,
    script: Callable[[Job], Iterator[Event]] = events,
) -> None:
    """Begin a run, or finish what is there of it, as `bench run` and its `--resume` do."""
    resume = (directory / records.ENVIRONMENT).exists()
    writer = records.open_run(directory, resume=resume)
    try:
        one = runner(writer, display or fakes.ListDisplay(), script)
        if resume:
            run = whole_processes(records.read_run(directory))
            environment = run.environment
            one.done, one.processes = carry_over(run, writer)
        else:
            environment = fakes.run_environment(CASES)
            environment["run"]["state"] = "running"
            writer.write_environment(environment)
        one.measure()
        conclude(writer, environment, "complete")
    finally:
        writer.close()


def wrong(run: records.Run) -> list[str]:
    """What a reader would take for a number and is not the true one."""
    found = []
    kept = run.samples[run.samples["phase"] == "sample"]
    for row in kept.itertuples():
        truth = wall_ns(row.case, row.process, row.round) / 1e9
        if not math.isclose(row.wall_s, truth, rel_tol=1e-12):
            found.append(f"{row.case}, process {row.process}, round {row.round}: {row.wall_s}")
    truths = {metric: value for metric, _, value in fakes.MEASURED_BY.values()}
    found.extend(
        f"{row.case}, process {row.process}, {row.metric}: {row.value}"
        for row in run.measurements.itertuples()
        if row.value != truths[row.metric]
    )
    return found


def incomplete(run: records.Run) -> list[str]:
    """What a finished run should hold and does not: every case once, every process whole."""
    found = [f"{n} rows of {c}" for c, n in run.cases["case"].value_counts().items() if n != 1]
    closed = dict(zip(run.cases["case"], run.cases["status"], strict=True))
    for case in CASES:
        if closed.get(case.id) != "ok":
            found.append(f"{case.id} is {closed.get(case.id, 'missing')}")
        processes = REPEATS if case.measure is FORWARD else 1
        wanted = [(run.measurements, "case", case.id, 1)]
        if case.measure is FORWARD:
            wanted.append((run.samples, "case", case.id, ROUNDS + 1))
            wanted.append((run.rounds, "group", case.group, ROUNDS))
        for table, column, name, count in wanted:
            held = table.loc[table[column] == name, "process"].tolist()
            if sorted(held) != [r for r in range(1, processes + 1) for _ in range(count)]:
                found.append(f"{name} has rows of the processes {held}, {count} of each expected")
    if run.damage:
        found.extend(run.damage)
    return found
