"""The speed-ups of one workload that figures of variants and threads are drawn from."""

from __future__ import annotations

from bench.report.view import PREFERRED, Context, View, workload_text
from bench.stats.speedups import SpeedUp, speedups
from bench.wording.numbers import times


def of_one_workload(view: View, context: Context, *, threads: bool) -> list[SpeedUp]:
    """The speed-ups, of threads or else of variants, at the preferred workload or the middle one.

    Of several heads, caches or, for threads, variants the first: they are not compared.
    """
    found = [
        g
        for g in speedups(view.summary, view.ratios)
        if g.device == context.device and g.threads_compared is threads
    ]
    found = [g for g in found if g.setting == found[0].setting]
    workloads = sorted({(g.workload.batch_size, g.workload.seq_len) for g in found})
    if not workloads:
        return []
    chosen = PREFERRED if PREFERRED in workloads else workloads[len(workloads) // 2]
    return [g for g in found if (g.workload.batch_size, g.workload.seq_len) == chosen]


def shown(speedup: SpeedUp) -> str:
    """How many times as fast, to the digits that the interval supports."""
    return times(speedup.speed, speedup.low, speedup.high)


def where(speedup: SpeedUp) -> str:
    """The workload of a speed-up, and what else is set."""
    text = workload_text(speedup.workload.batch_size, speedup.workload.seq_len)
    return ", ".join(filter(None, (text, speedup.setting)))
