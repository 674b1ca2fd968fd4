"""What disturbed the run: the counters of its rounds, in a sentence and in a table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.core.english import several
from bench.core.metric import Disturbance
from bench.core.metrics import METRICS
from bench.report.table import Table
from bench.report.view import View, workload_text
from bench.wording.numbers import NBSP, count, quantity, significant

TOGETHER = {Disturbance.TOTAL: "sum", Disturbance.HIGHEST: "max"}
"""How the values of all processes make up that of the run."""


def disturbance_table(view: View) -> Table | None:
    """What disturbed the timed processes: each counter over the run, and where it was highest."""
    rows = []
    # The models of a workload share a process, and so its counters: each is counted once.
    columns = ["model", "suite", "batch_size", "seq_len"]
    measured = view.run.measurements.join(view.plan.set_index("case")[columns], on="case")
    for name, metric in METRICS.items():
        found = measured[measured["metric"] == name]
        if metric.disturbance is None or found.empty:
            continue
        own = found[found["model"] == found["model"].iloc[0]]
        together = own["value"].agg(TOGETHER[metric.disturbance])
        worst = own.loc[own["value"].idxmax()]
        rows.append(
            [
                metric.title,
                f"{quantity(float(together), metric.unit.value)} {metric.disturbance.value}",
                quantity(float(worst["value"]), metric.unit.value),
                _where(worst) if worst["value"] else "–",
            ]
        )
    rows += _of_rounds(view.run.rounds)
    if not rows:
        return None
    return Table(
        "disturbances",
        "What disturbed the timed processes",
        ["Counter", "Over the run", "Worst process", "Where"],
        rows,
    )


def _where(row: Any) -> str:
    where = workload_text(int(row["batch_size"]), int(row["seq_len"]))
    return f"{row['suite']}, {where}, process {row['process']}"


def in_words(view: View) -> list[str]:
    """What the machine did beside the rounds, as shares that can be judged; and what is unknown."""
    rounds = view.run.rounds
    cores = (view.run.environment.get("machine") or {}).get("cores_logical") or 1
    seconds, found = float(rounds["wall_s"].sum()), []
    if seconds:
        steal, switches = rounds["steal_s"].dropna(), rounds["involuntary_switches"].dropna()
        load = rounds["load_average"].dropna()
        if len(steal):
            share = 100 * float(steal.sum()) / (seconds * cores)
            found.append(f"the hypervisor took {significant(share, 2)}{NBSP}% of the CPU time")
        if len(switches):
            rate = float(switches.sum()) / seconds
            found.append(f"threads were interrupted {significant(rate, 2)} times a second")
        if len(load):
            of = count(cores, "core")
            found.append(f"the load average was {load.mean():.1f} on {of}")
    said = [f"While the models were timed, {several(found)}."] if found else []
    if rounds["cpu_hz"].dropna().empty and rounds["throttled"].dropna().empty:
        said.append("Clock frequency and thermal throttling were not recorded.")
    return said


def _of_rounds(rounds: pd.DataFrame) -> list[list[str]]:
    """Heat and clock frequency, where the machine reported them between rounds."""
    found = []
    throttled, clock = rounds["throttled"].dropna(), rounds["cpu_hz"].dropna() / 1e9
    if len(throttled):
        most = f"{throttled.max():.0f}"
        found.append(
            [
                "Slowed down by heat or stopped by a CPU quota, times",
                f"{throttled.sum():.0f} in total",
                most,
                "–",
            ]
        )
    if len(clock):
        found.append(_span("Clock frequency", clock, ".2f", "GHz", clock.min()))
    return found + _of_gpu(rounds)


def _of_gpu(rounds: pd.DataFrame) -> list[list[str]]:
    """What NVML reported of a GPU between rounds."""
    found = []
    held = rounds.loc[rounds["gpu_throttle"] != "", "gpu_throttle"]
    clock, power = rounds["gpu_sm_hz"].dropna() / 1e9, rounds["gpu_power_w"].dropna()
    heat = rounds["gpu_temperature_c"].dropna()
    if len(clock):
        found.append(_span("GPU clock", clock, ".2f", "GHz", clock.min()))
        words = several(dict.fromkeys(held)) or "–"
        found.append(["GPU held back", f"{len(held)} of {len(rounds)} rounds", words, "–"])
    if len(power):
        found.append(_span("GPU power", power, ".0f", "W", power.max()))
    if len(heat):
        found.append(_span("GPU temperature", heat, ".0f", "°C", heat.max()))
    return found


def _span(title: str, values: pd.Series, form: str, unit: str, worst: float) -> list[str]:
    """A row for what was read at the end of each round: its range, and the worst of it."""
    span = f"{values.min():{form}} to {values.max():{form}} {unit}"
    return [title, span, f"{worst:{form}} {unit}", "–"]
