"""Stand-ins at the seams: a clock turned by hand, scripted workers, a display that keeps a list.

Also tiny real models and small runs, written through the same doors that the tool uses.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from bench.core.architecture import Architecture, Model, Weights
from bench.core.axes import Dtype, Variant
from bench.core.case import Case, Status, Stop, Workload
from bench.core.events import (
    Begin,
    Ended,
    Event,
    Finished,
    Measurement,
    Measurements,
    Phase,
    Ready,
    Rounds,
    Sample,
    Samples,
)
from bench.core.measure import Measure
from bench.core.measures.capacity import CAPACITY
from bench.core.measures.cold_start import COLD_START
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.core.measures.text import TEXT
from bench.core.metrics import metric
from bench.core.plain import to_plain
from bench.core.suite import Sampling
from bench.machine.gpu import NO_READING
from bench.plan.jobs import Job, Source, identity
from bench.results import store as records
from bench.runner.runner import Runner
from bench.worker.clock import CudaClock, HostMarks

Kind = TypeVar("Kind")
S = 1_000_000_000
"""Nanoseconds in a second."""

TINY = {
    "bert": Architecture("bert", 100, 32, 32, 2, 2, 64, max_tokens=64),
    "albert": Architecture("albert", 100, 16, 32, 2, 2, 64, "gelu_new", 1, max_tokens=64),
}
BERT, ALBERT = (Model(name, name, TINY[name]) for name in ("bert", "albert"))
SUITES = {
    STATIC: "parameters",
    MEMORY: "memory",
    COLD_START: "cold_start",
    CAPACITY: "capacity",
    TEXT: "text",
    FORWARD: "latency",
}
RANDOM = Source(None, Weights.RANDOM)
MEASURED_BY = {
    STATIC: ("stored_parameters", "1", 1000.0),
    MEMORY: ("peak_rss_bytes", "B", 1e6),
    COLD_START: ("cold_start", "s", 1.5),
    TEXT: ("throughput_tokens", "1/s", 100.0),
    FORWARD: ("load_average", "1", 0.5),
}
"""One metric of each kind of measurement, its unit, and what scripted workers say of it."""


class FakeClock(HostMarks):
    """A clock that stands still until it is turned; it counts how often it was synchronised."""

    def __init__(self) -> None:
        self.wall = 0
        self.cpu = 0
        self.synchronized = 0
        self.shifts = {"suspended": 0, "clock set": 0}

    def wall_ns(self) -> int:
        """See Clock."""
        return self.wall

    def cpu_ns(self) -> int:
        """See Clock."""
        return self.cpu

    def synchronize(self) -> None:
        """See Clock."""
        self.synchronized += 1

    def shifts_ns(self) -> dict[str, int]:
        """See Clock."""
        return dict(self.shifts)

    def turn(self, wall_s: float, cpu_s: float | None = None) -> None:
        """Let time pass."""
        self.wall += round(wall_s * S)
        self.cpu += round((wall_s if cpu_s is None else cpu_s) * S)

    def forward(self, seconds: float | Callable[[], float]) -> Callable[[], None]:
        """A forward that takes that long."""
        return lambda: self.turn(seconds() if callable(seconds) else seconds)


class FakeCuda:
    """What `CudaClock` needs of `torch.cuda`, with a device whose time is turned by hand."""

    def __init__(self) -> None:
        self.device_s = 0.0
        self.recorded: list[tuple[float, object]] = []
        self.synchronized = 0

    def work(self, seconds: float) -> None:
        """Give the device something that takes it so long."""
        self.device_s += seconds

    def synchronize(self, device: str) -> None:
        """See torch.cuda."""
        del device
        self.synchronized += 1

    def current_stream(self, device: str) -> str:
        """See torch.cuda."""
        return f"stream of {device}"

    def Event(self, *, enable_timing: bool) -> FakeEvent:
        """See torch.cuda."""
        assert enable_timing
        return FakeEvent(self)


class QueueCuda(FakeCuda):
    """A device that works its queue off while the host goes on: both have seconds of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.host_s = 0.0

    def launch(self, host_s: float, device_s: float) -> None:
        """Give the device a forward: it begins with the first launch and ends after the last."""
        begins = max(self.host_s, self.device_s)
        self.host_s += host_s
        self.device_s = max(begins + device_s, self.host_s)

    def synchronize(self, device: str) -> None:
        """See torch.cuda."""
        super().synchronize(device)
        self.host_s = max(self.host_s, self.device_s)

    def Event(self, *, enable_timing: bool) -> FakeEvent:
        """See torch.cuda: it is passed when all before it is done, at once on an idle device."""
        self.device_s = max(self.host_s, self.device_s)
        return super().Event(enable_timing=enable_timing)


@dataclass
class QueueClock(CudaClock):
    """The clock of a host beside such a device."""

    cuda: QueueCuda

    def wall_ns(self) -> int:
        """See Clock."""
        return round(self.cuda.host_s * S)

    cpu_ns = wall_ns


@dataclass
class FakeEvent:
    """A moment in the fake device's queue."""

    cuda: FakeCuda
    at_s: float = 0.0

    def record(self, stream: object) -> None:
        """See torch.cuda.Event."""
        self.at_s = self.cuda.device_s
        self.cuda.recorded.append((self.at_s, stream))

    def elapsed_time(self, later: FakeEvent) -> float:
        """See torch.cuda.Event: milliseconds, and only after the device was waited for."""
        assert self.cuda.synchronized, "read before the device was done"
        return 1e3 * (later.at_s - self.at_s)


def case(
    model: str = "bert",
    *,
    suite: str = "",
    measure: Measure = FORWARD,
    batch_size: int = 1,
    seq_len: int = 16,
    dtype: Dtype = Dtype.FLOAT32,
    device: str = "cpu",
    threads: int = 1,
) -> Case:
    """A case, of which a test names only what it is about."""
    workload = Workload(batch_size, seq_len)
    suite = suite or SUITES[measure]
    return Case(suite, measure, model, Variant(dtype), workload, device, threads)


def pair(**facts: Any) -> list[Case]:
    """The same case of both models."""
    return [case("bert", **facts), case("albert", **facts)]


def job(cases: Sequence[Case], **facts: Any) -> Job:
    """A job for tiny models with random weights; `budget_s` is that of each case."""
    budget_s = facts.pop("budget_s", 0.05)
    budgets_s: dict[str, float] = {}
    for one in cases:
        budgets_s[one.group] = budgets_s.get(one.group, 0.0) + budget_s
    defaults: dict[str, Any] = {
        "measure": cases[0].measure,
        "process": 1,
        "models": (BERT, ALBERT),
        "sources": {"bert": RANDOM, "albert": RANDOM},
        "threads": 1,
        "seed": 0,
        "budgets_s": budgets_s,
        "precision": 0.5,
    }
    return Job(cases=tuple(cases), **{**defaults, **facts})


def worker_events(
    job: Job, seconds: Mapping[str, float] | None = None, rounds: int = 4
) -> Iterator[Event]:
    """What a healthy worker says about a job, in its order; `seconds` per model of a forward."""
    yield Ready()
    if job.measure.timed:
        for model in dict.fromkeys(c.model for c in job.cases):
            yield Begin(tuple(c.id for c in job.cases if c.model == model))
        groups = job.groups()
    else:
        groups = [[c] for c in job.cases]
    for group in groups:
        yield Begin(tuple(c.id for c in group))
        if job.measure.timed:
            yield Rounds(group[0].group, tuple(round_rows(rounds)))
        for one in group:
            yield Measurements(one.id, (Measurement(*MEASURED_BY[job.measure]),))
            if job.measure.timed:
                wall_s = (seconds or {}).get(one.model, 0.01)
                yield Samples(one.id, samples([wall_s] * rounds))
    yield Finished({"load_s": 0.5})
    yield Ended()


def samples(walls: Iterable[float], warmup: int = 1) -> tuple[Sample, ...]:
    """Samples of one case and process, one per round, after some slow warm-up forwards."""
    warm = [Sample(Phase.WARMUP, 0, 0.0, 9.0, 9.0)] * warmup
    rounds = (
        Sample(Phase.SAMPLE, i, float(i), wall, 2 * wall) for i, wall in enumerate(walls, start=1)
    )
    return (*warm, *rounds)


def sample_rows(walls: Iterable[float], warmup: int = 1) -> list[dict[str, Any]]:
    """The same as rows of `samples.csv`."""
    return [to_plain(one) for one in samples(walls, warmup)]


def rewall(event: Samples, wall_s: Callable[[Sample], float]) -> Samples:
    """The event with other durations of the samples that count."""
    rows = (
        replace(row, wall_s=wall_s(row)) if row.phase is Phase.SAMPLE else row for row in event.rows
    )
    return replace(event, rows=tuple(rows))


def round_rows(count: int) -> list[dict[str, Any]]:
    """What disturbed each of so many rounds: nothing."""
    counters = ("steal_s", "involuntary_switches", "minor_faults", "major_faults", "throttled")
    quiet = {**dict.fromkeys(counters, 0.0), "cpu_hz": 2e9, "load_average": 0.1}
    quiet |= NO_READING
    return [{"round": i, "invalid": "", "wall_s": 0.1, **quiet} for i in range(1, count + 1)]


def of(kind: type[Kind], events: Iterable[Event]) -> list[Kind]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def values(events: Iterable[Event], case: str | None = None) -> dict[str, float]:
    """Measured values by metric; of one case (id) where there are several."""
    told = [e for e in of(Measurements, events) if case in (None, e.case)]
    return {row.metric: row.value for e in told for row in e.rows}


def cut(events: Iterable[Event], when: Callable[[Event], bool], end: Event) -> Iterator[Event]:
    """A worker's events until `when` is true of one, which is the last before its death."""
    for event in events:
        yield event
        if when(event):
            yield end
            return


@dataclass
class ScriptedLauncher:
    """A launcher without processes: `script` says what a worker would; jobs are kept."""

    script: Callable[[Job], Iterable[Event]] = worker_events
    jobs: list[Job] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    def run(self, job: Job, timeout_s: float) -> Iterator[Event]:
        """See Launcher."""
        self.jobs.append(job)
        self.timeouts.append(timeout_s)
        yield from self.script(job)


class ListDisplay:
    """A display that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def start(self, cases: Sequence[Case], sampling: Sampling) -> None:
        """See Display."""
        self.told.append(("start", len(cases), sampling.processes))

    def begin(self, cases: Sequence[Case], process: int) -> None:
        """See Display."""
        self.told.append(("begin", [c.id for c in cases], process))

    def advance(self, case: Case) -> None:
        """See Display."""
        self.told.append(("advance", case.id))

    def finish(self, case: Case, status: Status, reason: str) -> None:
        """See Display."""
        self.told.append(("finish", case.id, status.value, reason))

    def note(self, text: str) -> None:
        """See Display."""
        self.told.append(("note", text))

    def stop(self) -> None:
        """See Display."""


MACHINE = {"cpu": "a cpu", "cores_usable": 2, "cores_logical": 2, "architecture": "x", "os": "y"}
SOFTWARE = {
    "python": "3.11.0",
    "torch": "2.13.0",
    "transformers": "5.23.0",
    "cpu_capability": "AVX2",
    "cuda": None,
    "gpus": [],
    "bench": "0",
}


def run_environment(cases: Sequence[Case], run_id: str = "a-run") -> dict[str, Any]:
    """What `environment.json` of a run over these cases must hold."""
    models = list(dict.fromkeys(c.model for c in cases))
    sources = dict.fromkeys(models, RANDOM)
    return {
        "run": {
            "id": run_id,
            "started": "2026-01-01T00:00:00Z",
            "state": "complete",
            "models": models,
            "plan": [identity(c, sources) for c in cases],
        },
        "machine": MACHINE,
        "software": SOFTWARE,
        "fingerprint": {"id": "0"},
        "warnings": [],
    }


def case_row(case: Case, status: Status = Status.OK, reason: str = "") -> dict[str, Any]:
    """A finished case's row of `cases.csv`."""
    return {
        **identity(case, {case.model: RANDOM}),
        "measure": case.measure.name,
        "source": case.model,
        "revision": "",
        "checkpoint_bytes": None,
        "checkpoint_sha256": "",
        "status": status.value,
        "reason": reason,
        "processes": 1,
        "stop": Stop.NONE.value,
        "finished": "2026-01-01T00:00:01Z",
    }


def write_run(
    directory: Path,
    cases: Sequence[Case],
    walls: Mapping[str, Sequence[Sequence[float]]] | None = None,
    measured: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    failed: Iterable[str] = (),
    skipped: Iterable[str] = (),
) -> records.Run:
    """A run on disk, read back: `walls` is case id -> per process the seconds of each round.

    `measured` is case id -> metric -> its value in each process.
    """
    ends = dict.fromkeys(failed, Status.FAILED) | dict.fromkeys(skipped, Status.SKIPPED)
    writer = records.open_run(directory)
    writer.write_environment(run_environment(cases))
    for one in cases:
        writer.append("cases", [case_row(one, ends.get(one.id, Status.OK))])
    for name, processes in (walls or {}).items():
        for process, seconds in enumerate(processes, start=1):
            writer.append_batch("samples", name, process, sample_rows(seconds))
    for name, metrics in (measured or {}).items():
        for process, values in enumerate(zip(*metrics.values(), strict=True), start=1):
            rows = [
                {"metric": m, "unit": metric(m).unit.value, "value": v}
                for m, v in zip(metrics, values, strict=True)
            ]
            writer.append_batch("measurements", name, process, rows)
    writer.close()
    return records.read_run(directory)


def found(runner: Runner) -> records.Run:
    """The run so far, as anybody could read it."""
    return records.read_run(runner.writer.directory)


def statuses(runner: Runner) -> dict[str, str]:
    """Status of each case, from the file; each case has to be there once."""
    cases = found(runner).cases
    assert cases["case"].is_unique
    return dict(zip(cases["case"], cases["status"], strict=True))


def tiny_directory(root: Path, kind: str, *, weights: bool = False, **config: Any) -> Path:
    """A model directory called after its kind, with safetensors when `weights` is true."""
    arch = TINY[kind]
    directory = root / kind
    if weights:
        from bench.worker.loading import load

        module = load(Model(kind, kind, arch), Variant(), None, "cpu", random=True)
        module.save_pretrained(directory)
        return directory
    directory.mkdir(parents=True)
    facts = {
        "model_type": kind,
        "vocab_size": arch.vocab_size,
        "embedding_size": arch.embedding_size,
        "hidden_size": arch.hidden_size,
        "num_hidden_layers": arch.layers,
        "num_attention_heads": arch.heads,
        "intermediate_size": arch.intermediate_size,
        "hidden_act": arch.activation,
        "num_hidden_groups": arch.distinct_layers or arch.layers,
        "max_position_embeddings": arch.max_tokens,
        **config,
    }
    (directory / "config.json").write_text(json.dumps(facts), encoding="utf-8")
    return directory


def bench(*arguments: object, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """The `bench` command in a process of its own."""
    return python("-m", "bench", *arguments, cwd=cwd, timeout=timeout)


def python(
    *arguments: object, cwd: Path | None = None, timeout: float = 120, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, with the environment of a command and `extra` variables."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**bench_environment(), **extra},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def bench_environment() -> dict[str, str]:
    """The environment for a command: the checkout importable first, the hub never asked.

    Nothing of a pytest that runs tests side by side, since pytest-benchmark measures nothing then.
    """
    root = str(Path(records.__file__).parents[2])
    kept = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    paths = os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))
    return {**kept, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", "COLUMNS": "120"}


def default_signals() -> None:
    """Between fork and exec: heard again, where the tests were started with Ctrl-C ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
