"""How the numbers of the page were measured: the method, and how much was sampled."""

from __future__ import annotations

from collections.abc import Iterator

from bench.core.case import Stop
from bench.core.english import several
from bench.report.view import View
from bench.wording.numbers import count

FACTS = {
    "Interleaving": (
        "All models of a workload are loaded in one process and timed in rounds: every model once "
        "a round, in balanced order. The first forward after a switch of model is recorded and "
        "not counted."
    ),
    "Ratio": (
        "In each round a model’s median is divided by the reference’s. A process gives the median "
        "of its rounds, the run the mean over processes."
    ),
    "Interval": (
        "95 %, from the spread between fresh processes; few processes borrow spread from the run’s "
        "other workloads. A model is called slower or faster only where the interval excludes 1. "
        "One that contains 1 says “within so much” between 1/1.05 and 1.05, and otherwise “not "
        "known”; fewer than 3 processes give no verdict. Statements about several workloads are "
        "corrected for their number (Holm)."
    ),
    "Latency": (
        "The median of all samples. A percentile is given where there are enough samples: 29 for "
        "p90, 59 for p95, 299 for p99. No sample is dropped."
    ),
    "Memory": (
        "Measured in processes of their own. Activations are counted at the allocator; peak RSS "
        "is the system’s high-water mark, less what the libraries take."
    ),
    "Parameters, FLOPs": "Counted, never timed.",
    "Terms": "A sequence is one input row; a sample is one timed forward.",
}
"""Terms and what they mean in this report."""

STOPPED = {
    Stop.PRECISION.value: "reached the precision asked for",
    Stop.BUDGET.value: "ran out of processes or budget",
    Stop.MAX_TIME.value: "were ended by the run’s time limit",
}
"""Why sampling ended, of so many cases."""


def amounts(view: View) -> Iterator[str]:
    """How much was sampled, and why it stopped."""
    phases = view.run.samples["phase"].value_counts()
    kept, warm = int(phases.get("sample", 0)), int(phases.get("warmup", 0))
    if kept:
        switches = count(int(phases.get("switch", 0)), "forward")
        yield (
            f"{count(kept, 'sample')} of "
            f"{count(view.run.samples['case'].nunique(), 'timed case')}. Not counted: "
            f"{count(warm, 'warm-up forward')}, and {switches} after a switch of model."
        )
    sampling = (view.facts.get("options") or {}).get("sampling") or {}
    if sampling:
        processes = sampling.get("processes", sampling.get("repeats", "–"))  # its former name
        yield (
            f"Profile {view.facts.get('profile', '–')}: up to {processes} fresh "
            f"processes a case, until ratios were known within "
            f"{100 * float(sampling.get('precision') or 0):g} % or a case had taken "
            f"{float(sampling.get('budget_s') or 0):g} s of sampling."
        )
    stops = view.run.cases.loc[view.run.cases["stop"] != "", "stop"].value_counts()
    if len(stops):
        parts = [f"{n} {STOPPED.get(str(stop), str(stop))}" for stop, n in stops.items()]
        yield f"Of the timed cases, {several(parts)}."
    share = (view.run.environment.get("time_spent") or {}).get("forwards_share")
    if share is not None:
        yield f"Forwards took {100 * float(share):.0f} % of the time of timed workloads."
