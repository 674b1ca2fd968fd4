"""Measures memory of a case in a process of its own: weights, activations, peak RSS, load time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from torch.profiler import ProfilerActivity, profile

from bench.core.axes import Variant
from bench.core.case import Case
from bench.core.flops import peak_activation_bytes
from bench.worker.device import gpu_of
from bench.worker.loading import bind
from bench.worker.measures.static import weight_bytes
from bench.worker.session import Session

KIB = 1024
PROC = Path("/proc/self")
"""What Linux reports of this process; some containers show only a part of it."""


def measure(session: Session) -> None:
    """Measure every case of the job; a job for memory holds one."""
    session.each(_measure)


def _measure(session: Session, case: Case) -> dict[str, float]:
    directory = session.named(case.model)[1].directory
    session.import_model_code(case)  # part of the libraries' baseline
    session.clock.synchronize()  # what a device's first use sets up in this process, likewise
    before = resident(directory)
    reset_peak_rss()
    module = session.load(case)
    values = {
        "load_time": session.spent["load_s"],
        "weight_bytes": float(sum(weight_bytes(module).values())),
    }
    values |= _needed("load_peak_rss_bytes", before, resident(directory))
    forward = bind(module, case.workload, case.device, session.job.seed)
    with torch.inference_mode(), session.spend("memory_s"):
        if case.device.startswith("cuda"):
            return values | _cuda(forward, case.device)
        forward()  # brings in the pages of libraries that it runs
        reset_peak_rss()
        forward()
        values |= _needed("peak_rss_bytes", before, resident(directory))
        values["peak_activation_bytes"] = float(peak_allocated_bytes(forward))
    # The formula is for the base model with SDPA in float32: in other dtypes CPU operators keep
    # temporaries of their own.
    arch = session.named(case.model)[0].architecture
    formula = arch and peak_activation_bytes(arch, case.workload)
    if formula and case.variant == Variant():
        values["peak_activation_bytes_formula"] = float(formula)
    return values


def _needed(name: str, before: Resident | None, after: Resident | None) -> dict[str, float]:
    """The peak since the last reset, above what was there before, without pages of libraries."""
    if before is None or after is None:
        return {}
    return {name: float(peak_rss() - after.libraries - before.own)}


def _cuda(forward: Callable[[], object], device: str) -> dict[str, float]:
    """Peaks of CUDA's caching allocator over one warm forward; activations are the rise in it."""
    forward()
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    forward()
    torch.cuda.synchronize(device)
    device_memory = gpu_of(device)
    own = device_memory.own_bytes() if device_memory else None
    return ({} if own is None else {"cuda_process_bytes": float(own)}) | {
        "cuda_peak_allocated_bytes": torch.cuda.max_memory_allocated(device),
        "cuda_peak_reserved_bytes": torch.cuda.max_memory_reserved(device),
        "peak_activation_bytes": torch.cuda.max_memory_allocated(device) - before,
    }


def peak_allocated_bytes(call: Callable[[], object]) -> int:
    """Most bytes alive at once that torch's CPU allocator handed out during `call`, exactly.

    The profiler sees each allocation and release of the allocator, temporaries inside operators
    included; tensors made before the call do not count.
    """
    with (
        _quiet_stderr(),
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler,
    ):
        result = call()
    del result
    alive = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            alive += event.nbytes()
            peak = max(peak, alive)
    return peak


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep the profiler's announcements of itself, written by C++ code, off the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w", encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@dataclass(frozen=True)
class Resident:
    """Bytes of resident memory: the process's own, and those of mapped files of libraries.

    Which pages of libraries are resident depends on what ran before, and in a fork it is those that
    the fork has touched itself; a forward does not need more of them for it.
    """

    own: int
    libraries: int


def resident(directory: str | None = None) -> Resident | None:
    """What is resident now; None where the system hides it (an unreadable /proc).

    A checkpoint in `directory` may be mapped: its pages are weights, and the process's own.
    """
    try:
        whole = int(psutil.Process().memory_info().rss)
    except (psutil.Error, OSError):
        return None
    libraries = 0
    with suppress(OSError):
        for line in (PROC / "status").read_text().splitlines():
            if line.startswith("RssFile:"):
                libraries = int(line.split()[1]) * KIB - (_mapped(directory) if directory else 0)
    return Resident(whole - libraries, libraries)


def _mapped(directory: str) -> int:
    """Resident bytes of the files in a directory that are mapped: see smaps in proc(5)."""
    within, found = False, 0
    for line in (PROC / "smaps").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "Rss" and within:
            found += int(rest.split()[0]) * KIB
        elif name == "Anonymous" and within:
            found -= int(rest.split()[0]) * KIB
        elif "-" in name.partition(" ")[0]:  # the head of a mapping
            within = f" {directory}{os.sep}" in line
    return found


def reset_peak_rss() -> None:
    """Set the kernel's high-water mark of this process back to its present size (Linux).

    Where the system refuses, the mark goes on counting from the start of the process.
    """
    clear = PROC / "clear_refs"
    if clear.exists():
        with suppress(OSError):
            clear.write_text("5")


def peak_rss() -> int:
    """The process's high-water mark of resident memory, in bytes.

    Linux: since the last reset. macOS: since the process began, which is why memory is measured in
    a process of its own. Source: proc(5), getrusage(2).
    """
    with suppress(OSError):
        for line in (PROC / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * KIB
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * KIB
