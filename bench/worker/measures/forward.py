"""Times forwards: all cases of a group loaded together and sampled in turn."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from bench.core.axes import REFERENCE, Compile, Variant
from bench.core.case import Case, Compares, Workload
from bench.core.events import Phase, Sample
from bench.core.flops import forward_flops
from bench.core.units import NS
from bench.worker import reference_gemm as gemm
from bench.worker.backends.torch import compiling
from bench.worker.declaration import declaration
from bench.worker.device import gpu_of
from bench.worker.energy import energy
from bench.worker.engine import Engine, Inputs, module_outputs
from bench.worker.l2_flush import flusher
from bench.worker.loading import make_inputs
from bench.worker.monitor import Reading, RoundWatch
from bench.worker.numerics import assert_close
from bench.worker.sampler import Limits, ReferenceGemm, Sampler
from bench.worker.session import Session
from bench.worker.variants import build, require

Key = tuple[str, Variant, int]
CHECKED_TOKENS = 16
CAPTURED = 3
"""From this call on a CUDA graph is replayed: the first compiles, the second captures."""


@dataclass
class Loaded:
    """An engine with, by case id, its inputs and what the reference gives for their first row."""

    engine: Engine
    inputs: dict[str, Inputs]
    expected: dict[str, list[torch.Tensor]] = field(default_factory=dict)


def measure(session: Session) -> None:
    """Load every model and variant once, then sample each workload of the job over all of them."""
    engines = load_all(session)
    gc.collect()
    gc.freeze()
    for group in session.job.groups():
        cases = [case for case in group if key_of(case) in engines]
        if cases:
            session.begin(cases)
            measure_group(session, engines, cases)


def key_of(case: Case) -> Key:
    """What cases share that run in one engine, whose number of threads may be its own."""
    own_threads = declaration(case.variant.backend).own_threads
    return (case.model, case.variant, case.threads if own_threads else 0)


def load_all(session: Session) -> dict[Key, Loaded]:
    """Make the engine of every model and variant; one that fails is reported and left out."""
    engines: dict[Key, Loaded] = {}
    for key in dict.fromkeys(key_of(case) for case in session.job.cases):
        cases = [case for case in session.job.cases if key_of(case) == key]
        session.begin(cases)
        try:
            engines[key] = load_engine(session, cases)
        except Exception as error:  # noqa: BLE001 - whatever a model raises becomes its reason
            session.failed(cases, error)
    return engines


def load_engine(session: Session, cases: list[Case]) -> Loaded:
    """Load the model and make its variant; the reference's outputs are taken before.

    Numerics do not change from process to process, so they are checked in the first one.
    """
    first, seed = cases[0], session.job.seed
    require(first.variant, first.device)
    module = session.load(first, REFERENCE.with_head(first.variant.head))
    inputs: dict[str, Inputs] = {
        case.id: make_inputs(module, _shape(case), case.device, seed) for case in cases
    }
    expected = {}
    if session.job.process == 1:
        with torch.inference_mode():
            for case in cases:
                expected[case.id] = _outputs(module_outputs(module(**_first_row(inputs[case.id]))))
    with session.spend("load_s"):
        engine = build(
            module,
            first.variant,
            first.device,
            _first_row(inputs[first.id]),
            threads=first.threads,
            sizes_vary=not first.workload.seq_len,
        )
    return Loaded(engine, inputs, expected)


def _shape(case: Case) -> Workload:
    """The workload of the inputs that are checked: a text's batches come later, each its own."""
    return case.workload if case.workload.seq_len else Workload(1, CHECKED_TOKENS)


def _first_row(inputs: Inputs) -> dict[str, torch.Tensor]:
    """A batch of its first sequence alone: rows do not depend on each other."""
    return {name: value[:1] for name, value in inputs.items()}


def _outputs(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """The first row of each output, in float32 on the CPU."""
    return [one[:1].float().cpu() for one in tensors]


def measure_group(session: Session, engines: dict[Key, Loaded], cases: list[Case]) -> None:
    """Check, warm up, sample and report the cases of one workload."""
    facts: dict[str, dict[str, float]] = {}
    forwards: dict[str, Callable[[], object]] = {}

    def prepare(case: Case) -> Callable[[], object]:
        loaded = engines[key_of(case)]
        facts[case.id] = checked(session, loaded, case)
        forwards[case.id] = with_threads(loaded.engine.bind(loaded.inputs[case.id]), case)
        settle(session, case, [forwards[case.id]])
        return forwards[case.id]

    before = Reading.now()
    found, gemms = sample(session, cases, prepare)
    disturbed = Reading.now().metrics(before)
    for case in cases:
        if case.id in found:
            values = facts[case.id] | disturbed | share(session, case, found[case.id], gemms)
            try:
                values |= energy(session, case, forwards[case.id])
            except Exception as error:  # noqa: BLE001 - see load_all
                session.failed([case], error)
                continue
            session.measured(case, values)
            session.samples(case, found[case.id])  # last: they say that this process is whole


def checked(session: Session, loaded: Loaded, case: Case) -> dict[str, float]:
    """Run a case's forward once and compare it with the reference; metrics of what was seen.

    Nothing is run or seen where there is no reference's output (later processes).
    Raises BenchError when its output is not the reference's.
    """
    if case.id not in loaded.expected:
        return {}
    engine, facts = loaded.engine, dict(loaded.engine.facts)
    forward = with_threads(engine.bind(loaded.inputs[case.id]), case)
    session.clock.synchronize()
    began = session.clock.wall_ns()
    with compiling(case.variant, case.id):
        result = forward()
    session.clock.synchronize()
    if case.variant.compile is not Compile.NONE:
        facts["compile_time"] = (session.clock.wall_ns() - began) * NS
    got = _outputs(engine.tensors(result))
    facts["output_error"] = assert_close(got, loaded.expected[case.id], case.variant.dtype)
    return facts


def settle(session: Session, case: Case, forwards: Iterable[Callable[[], object]]) -> None:
    """Run what is compiled, or runs on a device, one forward per shape, until it has its last form.

    What a first call compiles or sets up, and with CUDA graphs the second captures, is no part of
    warming up, which ends after one long forward and shows how long a warm one takes; nor is it in
    a sample of a text, whose shapes come as rounds do.
    """
    compiled, has_device = case.variant.compile is not Compile.NONE, session.clock.has_device
    if not compiled and not has_device:
        return
    with compiling(case.variant, case.id):
        for forward in forwards:
            for _ in range(CAPTURED if compiled and has_device else 1):
                forward()
    session.clock.synchronize()


def with_threads(forward: Callable[[], Any], case: Case) -> Callable[[], Any]:
    """The forward with its own number of threads, where the cases of a group differ in it.

    Setting the number costs under a microsecond; what it does to caches and threads falls on the
    first forward after a switch, which is left out.
    """
    if case.compares is not Compares.THREADS:
        return forward

    def threaded() -> Any:
        if torch.get_num_threads() != case.threads:
            torch.set_num_threads(case.threads)
        return forward()

    return threaded


def share(
    session: Session, case: Case, found: list[Sample], gemms: list[Sample]
) -> dict[str, float]:
    """How fast the case ran beside the reference GEMM; nothing where its FLOPs are not known."""
    arch = session.named(case.model)[0].architecture
    if arch is None:
        return {}
    counted = forward_flops(arch, case.workload, case.variant.head)
    return gemm.share(case, lambda _: counted, found, gemms)


def sample(
    session: Session,
    cases: list[Case],
    prepare: Callable[[Case], Callable[[], object]],
    begin_round: Callable[[int], object] | None = None,
) -> tuple[dict[str, list[Sample]], list[Sample]]:
    """Warm up and sample one workload; a case that fails leaves the others to go on.

    `prepare` makes a case's forward; `begin_round` hears the number of each round as it begins.
    Returns all timed forwards by case, without the cases that failed, and the runs of the reference
    GEMM that were timed beside them.
    """
    job, device = session.job, cases[0].device
    try:
        work = gemm.work(device, cases[0].variant.dtype)
        reference = ReferenceGemm(with_threads(work, replace(cases[0], threads=job.threads)))
        watch = RoundWatch(session.clock, gpu=gpu_of(device))
    except Exception as error:  # noqa: BLE001 - see load_all
        session.failed(cases, error)
        return {}, []
    flushes: dict[str, Callable[[], object]] = {}
    sampler = Sampler(
        session.clock,
        random.Random(f"{job.seed}/{job.process}/{cases[0].group}"),  # noqa: S311 - an order, not a key
        Limits(job.budgets_s[cases[0].group], job.precision / 2),
        watch,
        reference,
        any(declaration(case.variant.backend).slow_switch for case in cases),
        flushes,
    )
    with torch.inference_mode():
        forwards, warm = _warm_up(session, sampler, cases, prepare, flushes)
        if not forwards:
            return {}, []
        warm_s = {name: warm[name][-1].wall_s for name in forwards}
        try:
            with session.spend("timed_s"):
                samples = sampler.rounds(forwards, warm_s, begin_round)
        except Exception as error:  # noqa: BLE001 - see load_all
            session.failed([c for c in cases if c.id in forwards], error)
            return {}, []
    session.rounds(cases[0].group, watch.rows)
    session.gemm(cases[0].group, reference.samples)
    timed = {name: warm[name] + samples[name] for name in forwards}
    forwarded = [t for one in timed.values() for t in one]
    session.add_spent("forwards_s", (t.wall_s for t in forwarded))
    session.add_spent("counted_s", (t.wall_s for t in forwarded if t.phase is Phase.SAMPLE))
    session.add_spent("gemm_s", (t.wall_s for t in reference.samples))
    return timed, reference.samples


def _warm_up(
    session: Session,
    sampler: Sampler,
    cases: list[Case],
    prepare: Callable[[Case], Callable[[], object]],
    flushes: dict[str, Callable[[], object]],
) -> tuple[dict[str, Callable[[], object]], dict[str, list[Sample]]]:
    """Make and warm up the forward of each case, and what flushes a cache before it, if anything.

    Returns forwards and warm-up samples by case, without those that failed.
    """
    forwards: dict[str, Callable[[], object]] = {}
    warm: dict[str, list[Sample]] = {}
    for case in cases:
        try:
            forward = prepare(case)
            if (flush := flusher(case)) is not None:
                flushes[case.id] = flush
            with session.spend("timed_s"):
                again = key_of(case) in session.warm
                warm[case.id] = sampler.warm_up(case.id, forward, again=again)
            session.warm.add(key_of(case))
            forwards[case.id] = forward
        except Exception as error:  # noqa: BLE001, PERF203 - see load_all
            session.failed([case], error)
    return forwards, warm
