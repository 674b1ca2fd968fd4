"""Measuring what a case needs of memory, and how long its model takes to load."""

from bench.core.allocator import Allocator
from bench.core.measure import Measure, Need, Processes

MEMORY = Measure(
    "memory",
    order=30,
    processes=Processes.ONE,
    allocator=Allocator.EXACT,
    alone=True,
    needs=(Need.PLAIN_MODULE,),
)
