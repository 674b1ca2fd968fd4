"""Tries one batch within a limit of memory: runs it once, or runs out of memory."""

from __future__ import annotations

import sys
from typing import Any

import psutil
import torch

from bench.core.case import Case
from bench.core.errors import BenchError
from bench.worker.loading import bind
from bench.worker.measures.memory import peak_rss
from bench.worker.session import Session

SLACK = 256 * 2**20
"""Bytes that a process may ask for beyond the limit: arenas that it never fills."""


def measure(session: Session) -> None:
    """Try the one case of the job."""
    session.each(_measure)


def _measure(session: Session, case: Case) -> dict[str, float]:
    """Bytes of memory at the peak; raises MemoryError beyond the limit.

    On the CPU that is the whole process with its libraries, as a container or a server would
    count it; on CUDA what its caching allocator holds.
    """
    limit = session.job.memory_limit
    # Imported below the limit, a library has been seen to ask for memory again and again, for ever.
    session.import_model_code(case)
    bound(case.device, limit, session.job.threads)
    module = session.load(case)
    forward = bind(module, case.workload, case.device, session.job.seed)
    with torch.inference_mode(), session.spend("memory_s"):
        forward()
        if case.device.startswith("cuda"):
            torch.cuda.synchronize(case.device)
            peak = int(torch.cuda.max_memory_reserved(case.device))
        else:
            peak = peak_rss()
    if limit is not None and peak > limit:
        raise MemoryError(f"{peak:,} bytes at the peak are more than {limit:,}")
    values = {"capacity_peak_bytes": float(peak)}
    return values if limit is None else values | {"memory_limit_bytes": float(limit)}


def bound(device: str, limit: int | None, threads: int) -> None:
    """Make allocations far beyond `limit` bytes fail, rather than have the system kill for them.

    On the CPU by the kernel (Linux), beyond what the process has already and with some slack, also
    for the stacks of its `threads`: what counts there is the peak that was really used. On CUDA by
    torch's allocator, to the byte.
    """
    if device.startswith("cuda"):
        bound_cuda(torch.cuda, device, limit)
    elif limit is None:
        raise BenchError("the CPU's memory has no limit of its own: give --memory-limit")
    elif sys.platform == "linux":
        import resource

        has = psutil.Process().memory_info().data
        stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
        stacks = threads * (stack if 0 < stack < SLACK else SLACK)
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        wanted = _within(has + limit + SLACK + stacks, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def _within(wanted: int, hard: int) -> int:
    import resource

    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def bound_cuda(cuda: Any, device: str, limit: int | None) -> None:
    """Bound torch's allocator on a device; `cuda` is `torch.cuda`, the seam.

    torch takes the device by its number here, and not by a name without one.
    """
    if limit is not None:
        number = int(device.partition(":")[2] or cuda.current_device())
        total = cuda.get_device_properties(number).total_memory
        cuda.set_per_process_memory_fraction(min(1.0, limit / total), number)
