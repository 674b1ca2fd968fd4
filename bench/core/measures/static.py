"""Counting what needs no clock: parameters, bytes, FLOPs, operators."""

from bench.core.allocator import Allocator
from bench.core.measure import Measure, Need, Processes, Start

STATIC = Measure(
    "static",
    order=10,
    processes=Processes.ONE,
    start=Start.FORKED,
    allocator=Allocator.EXACT,  # as for memory, so that one server serves both
    needs=(Need.PLAIN_MODULE,),
)
