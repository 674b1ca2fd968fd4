"""Times forwards: all models of a workload loaded together and sampled in turn."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.loading import make_inputs
from bench.measure.session import Session
from bench.sampling import Limits, Sampler, Timed
from bench.spec import Case
from bench.watch import Reading, RoundWatch

if TYPE_CHECKING:
    import torch


def measure(session: Session) -> None:
    """Load every model once, then sample each workload of the job over all of them."""
    modules = load_all(session)
    gc.collect()
    gc.freeze()
    for group in session.job.groups():
        cases = [case for case in group if case.model in modules]
        if cases:
            session.begin(cases)
            _measure_group(session, modules, cases)


def load_all(session: Session) -> dict[str, torch.nn.Module]:
    """Load every model of the job; one that fails is reported and left out."""
    modules: dict[str, torch.nn.Module] = {}
    for name in dict.fromkeys(case.model for case in session.job.cases):
        cases = [case for case in session.job.cases if case.model == name]
        session.begin(cases)
        try:
            modules[name] = session.load(cases[0])
        except Exception as error:  # noqa: BLE001 - whatever a model raises becomes its reason
            session.failed(cases, error)
    return modules


def _measure_group(
    session: Session, modules: dict[str, torch.nn.Module], cases: list[Case]
) -> None:
    before = Reading.now()
    seed = session.job.seed
    found = sample(session, cases, lambda case: prepare(modules[case.model], case, seed))
    disturbed = Reading.now().metrics(before)
    for case in cases:
        if case.id in found:
            session.measured(case, disturbed)
            session.samples(case, found[case.id])  # last: they say that this repeat is whole


def sample(
    session: Session,
    cases: list[Case],
    prepare: Callable[[Case], Callable[[], object]],
    begin_round: Callable[[int], object] | None = None,
) -> dict[str, list[Timed]]:
    """Warm up and sample one workload; a model that fails leaves the others to go on.

    `prepare` makes a case's forward; `begin_round` hears the number of each round as it begins.
    Returns all timed forwards by case, without the cases that failed.
    """
    import torch

    job = session.job
    watch = RoundWatch(session.clock)
    sampler = Sampler(
        session.clock,
        random.Random(f"{job.seed}/{job.repeat}/{cases[0].group}"),  # noqa: S311 - an order, not a key
        Limits(job.budget_s * len(cases), job.precision / 2),
        watch,
    )
    forwards: dict[str, Callable[[], object]] = {}
    warm: dict[str, list[Timed]] = {}
    with session.spend("timed_s"), torch.inference_mode():
        for case in cases:
            try:
                forward = prepare(case)
                warm[case.id] = sampler.warm_up(case.id, forward)
                forwards[case.id] = forward
            except Exception as error:  # noqa: BLE001, PERF203 - see load_all
                session.failed([case], error)
        if not forwards:
            return {}
        warm_s = {name: warm[name][-1].wall_s for name in forwards}
        try:
            samples = sampler.rounds(forwards, warm_s, begin_round)
        except Exception as error:  # noqa: BLE001 - see load_all
            session.failed([c for c in cases if c.id in forwards], error)
            return {}
    session.rounds(cases[0].group, watch.rows)
    timed = {name: warm[name] + samples[name] for name in forwards}
    forwards_s = sum(t.wall_s for one in timed.values() for t in one)
    session.spent["forwards_s"] = session.spent.get("forwards_s", 0.0) + forwards_s
    return timed


def prepare(module: torch.nn.Module, case: Case, seed: int) -> Callable[[], object]:
    """A call of no arguments that runs one forward of the case."""
    inputs = make_inputs(module, case.workload, case.device, seed)
    return lambda: module(**inputs)
