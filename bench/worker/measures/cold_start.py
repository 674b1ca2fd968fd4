"""Times a process from its start to the model's first output, step by step, and a second forward.

Nothing is warm but the system's page cache, which holds the libraries and the checkpoint: the
parent has just read it to take its hash. A step ends when the device has finished it.
"""

from __future__ import annotations

import torch

from bench.core.case import Case
from bench.worker.clock import since_process_start_s
from bench.worker.loading import make_inputs
from bench.worker.session import Session


def measure(session: Session) -> None:
    """Measure the case of the job; a job for cold starts holds one."""
    session.each(_measure)


def _measure(session: Session, case: Case) -> dict[str, float]:
    session.import_model_code(case)
    imported = since_process_start_s()
    device = {}
    if session.clock.has_device:
        session.clock.synchronize()  # its first use sets it up
        device["cold_device"] = since_process_start_s() - imported
    module = session.load(case)
    session.clock.synchronize()
    loaded = since_process_start_s()
    with torch.inference_mode():
        inputs = make_inputs(module, case.workload, case.device, session.job.seed)
        module(**inputs)
        session.clock.synchronize()
        first = since_process_start_s()
        module(**inputs)
        session.clock.synchronize()
        second = since_process_start_s()
    return {
        "cold_start": first,
        "cold_import": imported,
        **device,
        "cold_weights": loaded - imported - sum(device.values()),
        "first_forward": first - loaded,
        "second_forward": second - first,
    }
