"""Proving that the right weights are loaded: once before a run; no suite asks for it."""

from bench.core.allocator import Allocator
from bench.core.measure import Measure, Processes, Start

VERIFY = Measure(
    "verify",
    order=0,
    processes=Processes.ONE,
    start=Start.FORKED,
    allocator=Allocator.EXACT,  # as for memory, so that one server serves both
)
