"""Measuring what a case needs of memory, and how long its model takes to load."""

from bench.core.allocator import Allocator
from bench.core.measure import Measure, Need, Processes, Start

MEMORY = Measure(
    "memory",
    order=30,
    processes=Processes.ONE,
    # Peak RSS of BERT and ALBERT at batch 1 and 8 x 128 tokens: within 1 % of a fresh process's.
    start=Start.FORKED,
    allocator=Allocator.EXACT,
    alone=True,
    needs=(Need.PLAIN_MODULE,),
)
