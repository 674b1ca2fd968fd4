"""Measuring what a case needs of memory, and how long its model takes to load."""

from bench.core.measure import Measure, Need, Processes

MEMORY = Measure(
    "memory", order=30, processes=Processes.FEW, alone=True, needs=(Need.PLAIN_MODULE,)
)
