"""Before a run with pretrained weights: a worker proves them right, and shows them at work."""

from __future__ import annotations

from typing import Any

from bench.checkpoints.hub import Note, silence
from bench.core.architecture import Weights
from bench.core.axes import Variant
from bench.core.case import Case, Status, Workload
from bench.core.english import several
from bench.core.errors import BenchError, UsageError
from bench.core.events import Ended, Failed, Verified
from bench.core.measures.verify import VERIFY
from bench.plan.jobs import Job
from bench.runner.prepare import Prepared
from bench.runner.process import Launcher

WORKLOAD = Workload(batch_size=2, seq_len=16)
"""Enough to pass every weight; tokens and seed are fixed."""


def verify_weights(
    prepared: Prepared, launcher: Launcher, note: Note = silence
) -> dict[str, list[dict[str, Any]]]:
    """Verify every pretrained model in a worker; its fill-mask predictions, by model name.

    Raises UsageError for weights that are not the checkpoint's, all of them, and nothing else.
    """
    cases = tuple(
        Case("verify", VERIFY, model.name, Variant(), WORKLOAD, device, threads)
        for model in prepared.models
        if prepared.sources[model.name].weights is Weights.PRETRAINED
        for device, threads in [(prepared.options.devices[0], prepared.options.threads)]
    )
    if not cases:
        return {}
    job = Job(
        measure=VERIFY,
        process=1,
        cases=cases,
        models=prepared.models,
        sources=prepared.sources,
        threads=prepared.options.threads,
        seed=0,
        budgets_s={},
        precision=0.0,
    )
    note(f"verifying the weights of {several(c.model for c in cases)}")
    names = {case.id: case.model for case in cases}
    sanity: dict[str, list[dict[str, Any]]] = {}
    for event in launcher.run(job, prepared.options.timeout_s):
        match event:
            case Verified(case, predictions) if predictions:
                sanity[names[case]] = list(predictions)
            case Failed(status=Status.FAILED) | Ended(Status.FAILED):
                raise UsageError(f"wrong weights: {event.reason.removeprefix('BenchError: ')}")
            case Failed() | Ended() if event.status is not Status.OK:
                raise BenchError(f"the weights could not be verified: {event.reason}")
    return sanity
