"""What a plan costs at most, before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.core.architecture import Architecture, Model
from bench.core.case import Case
from bench.core.flops import forward_flops
from bench.core.measure import in_order
from bench.core.suite import Sampling
from bench.plan.jobs import job_batches, processes_of

START_S = 7.0
"""Assumed seconds to start a worker and load the models, for the estimate before a run."""


ASSUMED_FLOPS_PER_S = 1e11
"""Assumed speed of a forward, for the same estimate: about two current CPU cores in float32."""


ENERGY_S = 3.0
"""Seconds of a forward on CUDA over which its energy is counted, once: the counter moves every
20-100 ms, which is a few percent of that."""


@dataclass(frozen=True)
class Estimate:
    """What a plan costs at most: worker processes and seconds."""

    processes: int
    seconds: float


def assumed_forward_s(case: Case, architectures: Mapping[str, Architecture | None]) -> float:
    """Seconds that one forward of a case is assumed to take, before anything is measured."""
    architecture = architectures[case.model]
    if architecture is None:
        return 1.0
    return forward_flops(architecture, case.workload, case.variant.head) / ASSUMED_FLOPS_PER_S


def estimate(cases: Sequence[Case], models: Sequence[Model], sampling: Sampling) -> Estimate:
    """An upper bound from the budgets, with an assumed machine speed where one forward is long."""
    architectures = {m.name: m.architecture for m in models}
    processes, seconds = 0, 0.0
    for measure in in_order(case.measure for case in cases):
        started = processes_of(measure, sampling)
        for batch in job_batches(cases, measure):
            processes += started
            seconds += started * START_S
            for case in batch:
                if measure.timed:
                    # A warm-up, and two rounds of which one begins with a dropped forward.
                    least = 4 * assumed_forward_s(case, architectures)
                    seconds += max(sampling.budget_s, started * least)
                    seconds += ENERGY_S if case.device.startswith("cuda") else 0.0
                else:
                    seconds += started * 4 * assumed_forward_s(case, architectures)
    limit = sampling.max_time_s
    return Estimate(processes, min(seconds, limit) if limit else seconds)
