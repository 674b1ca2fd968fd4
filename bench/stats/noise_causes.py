"""Which results of a run are noisy, what made them so, and what fixes it on this machine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from bench.core.allocator import Allocator
from bench.core.english import several
from bench.core.metrics import NOISE_BOUND
from bench.machine.doctor import Doctor
from bench.stats.summary import noisy

if TYPE_CHECKING:
    import pandas as pd

    from bench.results.store import Run

NOISY, DISCARDED = "noisy: ", "discarded: "
STEAL_SHARE = 0.01
"""Of all CPU time: what a hypervisor takes beyond this is more than its own upkeep."""
FREQUENCY_SPREAD = 0.05
"""Of the median frequency, between the lowest and the highest round."""
READS_PER_S = 1.0
"""Page faults that read the disk: a lone one delays one forward of hundreds."""
FAULTS_PER_S = 10_000.0
"""Page faults without the disk, at some 2 microseconds each: a few percent of the time."""
LOCK_CLOCKS = "sudo nvidia-smi --lock-gpu-clocks=<MHz>"
KEEP_FREED = " ".join(f"{name}={value}" for name, value in Allocator.STEADY.variables.items())
MORE = "more --processes narrow the intervals"
SWITCHES_PER_S = 40.0
"""Involuntary context switches: more than a kernel's own threads cause on a quiet machine (some 8),
and the pools of several libraries in one worker, as the variants have (some 22)."""


def warnings(run: Run, summary: pd.DataFrame, doctor: Doctor | None = None) -> list[str]:
    """A line on noisy cases and one on discarded rounds, where there are any.

    `doctor` examines the machine of the run, which is this one.
    """
    return [*_noisy(run, summary, doctor or Doctor()), *_discarded(run.rounds)]


def refresh(held: Iterable[str], run: Run, summary: pd.DataFrame) -> list[str]:
    """`held` with these warnings as they are now, in the place of those of an earlier part."""
    others = [text for text in held if not text.startswith((NOISY, DISCARDED))]
    return [*others, *warnings(run, summary)]


def _noisy(run: Run, summary: pd.DataFrame, doctor: Doctor) -> Iterator[str]:
    over = noisy(summary)
    if over.empty:
        return
    worst = next(over.nlargest(1, "value").itertuples())
    cores = run.environment["machine"].get("cores_logical") or 1
    fewer = ", or give --threads fewer" if (run.cases["threads"] > 1).any() else ""
    causes = "; ".join(_causes(run.rounds, cores, doctor, fewer)) or _unseen(doctor)
    yield (
        f"{NOISY}the middle half of the samples spans more than {NOISE_BOUND:.0%} of the median in "
        f"{len(over)} of {(summary['metric'] == 'iqr_over_median').sum()} timed cases (most, "
        f"{worst.value:.0%}, in {worst.case}): {causes}"
    )


def _unseen(doctor: Doctor) -> str:
    """What to do where the kernel reported no cause: what hurts on this machine at all times."""
    standing = [f"{f.what} ({f.remedy.partition('   #')[0]})" for f in doctor.standing()]
    here = (
        f"what this machine has is {several(standing)}"
        if standing
        else ("`bench doctor` finds nothing to fix on this machine")
    )
    return f"no cause was seen between rounds: {here}; {MORE}"


def _causes(rounds: pd.DataFrame, cores: int, doctor: Doctor, fewer: str) -> Iterator[str]:
    """What the kernel reported between rounds: number, likely cause, next step."""
    seconds = float(rounds["wall_s"].sum())
    if not seconds:
        return
    stolen = float(rounds["steal_s"].sum()) / (seconds * cores)
    if stolen > STEAL_SHARE:
        yield (
            f"the hypervisor took {stolen:.0%} of the CPU time: measure on a machine of your own "
            "or at a quieter hour"
        )
    throttled = float(rounds["throttled"].sum())
    if throttled:
        quota = doctor.kernel.cpu_quota()
        if quota is None:
            yield f"the CPU slowed down {throttled:.0f} times because of heat: cool it{fewer}"
        else:
            yield (
                f"the control group stopped all threads {throttled:.0f} times, its quota of "
                f"{quota:.1f} CPUs being used up: give the container more CPUs{fewer}"
            )
    if _spread(rounds["cpu_hz"]) > FREQUENCY_SPREAD:
        low, high = (rounds["cpu_hz"].agg(f) / 1e9 for f in ("min", "max"))
        remedies = [f.remedy for f in doctor.frequency()]
        settings = f"neither governor nor turbo can be set here: {MORE}"
        yield (
            f"the CPU ran between {low:.1f} and {high:.1f} GHz: {next(iter(remedies), settings)}"
        )
    yield from _of_gpu(rounds)
    load, switches = rounds["load_average"].mean(), rounds["involuntary_switches"].sum() / seconds
    if load > cores or switches > SWITCHES_PER_S:
        busy = "" if math.isnan(load) else f"the load average was {load:.1f} on {cores} cores and "
        yield (
            f"{busy}threads were interrupted {switches:.0f} times a second: close other programs "
            f"(top -o %CPU names them){fewer}"
        )
    faults = float(rounds["minor_faults"].sum()) / seconds
    if faults > FAULTS_PER_S:
        yield (
            f"memory that a forward freed was given back and faulted in again, {faults:,.0f} pages "
            f"a second: start with {KEEP_FREED} (glibc keeps it then)"
        )
    read = float(rounds["major_faults"].sum())
    if read / seconds > READS_PER_S:
        yield f"{read:.0f} page faults read the disk: free memory before a run"


def _of_gpu(rounds: pd.DataFrame) -> Iterator[str]:
    """What held a GPU's clock down, or let it wander."""
    clock = rounds["gpu_sm_hz"].dropna() / 1e9
    between = f", between {clock.min():.2f} and {clock.max():.2f} GHz" if len(clock) else ""
    held = rounds.loc[rounds["gpu_throttle"] != "", "gpu_throttle"]
    if len(held):
        words = several(dict.fromkeys(held))
        yield (
            f"the GPU was held back in {len(held) / len(rounds):.0%} of the rounds ({words})"
            f"{between}: cool it, or fix a clock that it can keep ({LOCK_CLOCKS})"
        )
    elif _spread(clock) > FREQUENCY_SPREAD:
        yield f"the GPU's clock moved{between}: fix it ({LOCK_CLOCKS})"


def _spread(values: Any) -> float:
    known = values.dropna()
    return 0.0 if known.empty else float((known.max() - known.min()) / known.median())


def _discarded(rounds: pd.DataFrame) -> Iterator[str]:
    lost = rounds[rounds["invalid"] != ""]
    if not lost.empty:
        why = several(f"{n} {reason}" for reason, n in lost["invalid"].value_counts().items())
        yield (
            f"{DISCARDED}{len(lost)} of {len(rounds)} rounds ({why}): no statistic uses them; "
            "they stay in samples.csv as `invalid`"
        )
