"""Timing a process from its start to the model's first output."""

from bench.core.measure import Measure, Need, Processes, Start

COLD_START = Measure(
    "cold_start",
    order=20,
    processes=Processes.FEW,
    start=Start.FRESH,
    alone=True,
    # Drawing weights is not reading them.
    needs=(Need.PLAIN_MODULE, Need.CHECKPOINT),
)
