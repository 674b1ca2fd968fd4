"""Timing tokenization and forwards of the user's own text."""

from bench.core.allocator import Allocator
from bench.core.measure import Measure, Need, Processes

TEXT = Measure(
    "text",
    order=60,
    processes=Processes.SAMPLED,
    allocator=Allocator.STEADY,
    needs=(Need.TEXT,),
)
