"""Which results of a run are noisy, what made them so, and what mends it on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.metrics import NOISE_BOUND

if TYPE_CHECKING:
    import pandas as pd

    from bench.records import Run

NOISY, DISCARDED = "noisy: ", "discarded: "
STEAL_SHARE = 0.01
"""Of all CPU time: what a hypervisor takes beyond this is more than its own upkeep."""
FREQUENCY_SPREAD = 0.05
"""Of the median frequency, between the lowest and the highest round."""
SWITCHES_PER_S = 20.0
"""Involuntary context switches: more than a kernel's own threads cause on a quiet machine."""


def warnings(run: Run, summary: pd.DataFrame) -> list[str]:
    """A line on noisy cases and one on discarded rounds, where there are any."""
    return [*_noisy(run, summary), *_discarded(run.rounds)]


def renew(held: list[str], run: Run, summary: pd.DataFrame) -> list[str]:
    """`held` with these warnings as they are now, in the place of those of an earlier part."""
    others = [text for text in held if not text.startswith((NOISY, DISCARDED))]
    return [*others, *warnings(run, summary)]


def _noisy(run: Run, summary: pd.DataFrame) -> Iterator[str]:
    noise = summary[summary["metric"] == "noise"]
    over = noise[noise["value"] > NOISE_BOUND]
    if over.empty:
        return
    worst = next(over.nlargest(1, "value").itertuples())
    cores = run.environment["machine"].get("cores_logical") or 1
    causes = "; ".join(_causes(run.rounds, cores)) or (
        "no cause was seen between rounds: `bench doctor` lists what this machine has; more "
        "--repeats narrow the intervals"
    )
    yield (
        f"{NOISY}the middle half of the samples spans more than {NOISE_BOUND:.0%} of the median in "
        f"{len(over)} of {len(noise)} timed cases (most, {worst.value:.0%}, in "
        f"{worst.case}): {causes}"
    )


def _causes(rounds: pd.DataFrame, cores: int) -> Iterator[str]:
    """What the kernel told between rounds: number, likely cause, next step."""
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
        yield (
            f"the CPU slowed down {throttled:.0f} times because of heat: cool it, or give "
            "--threads fewer"
        )
    spread = _spread(rounds["cpu_hz"])
    if spread > FREQUENCY_SPREAD:
        low, high = (float(f(rounds["cpu_hz"])) / 1e9 for f in (min, max))
        yield (
            f"the CPU ran between {low:.1f} and {high:.1f} GHz: "
            "sudo cpupower frequency-set --governor performance"
        )
    load, switches = rounds["load_average"].mean(), rounds["involuntary_switches"].sum() / seconds
    if load > cores or switches > SWITCHES_PER_S:
        yield (
            f"the load average was {load:.1f} on {cores} cores and threads were interrupted "
            f"{switches:.0f} times a second: close other programs, or give --threads fewer"
        )
    read = float(rounds["major_faults"].sum())
    if read:
        yield f"{read:.0f} page faults read the disk: free memory before a run"


def _spread(values: Any) -> float:
    known = values.dropna()
    return 0.0 if known.empty else float((known.max() - known.min()) / known.median())


def _discarded(rounds: pd.DataFrame) -> Iterator[str]:
    lost = rounds[rounds["disturbed"] != ""]
    if not lost.empty:
        why = " and ".join(
            f"{n} {reason}" for reason, n in lost["disturbed"].value_counts().items()
        )
        yield (
            f"{DISCARDED}{len(lost)} of {len(rounds)} rounds ({why}): no statistic uses them; "
            "they stay in samples.csv as `disturbed`"
        )
