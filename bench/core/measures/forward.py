"""Timing forwards: the cases of a group in turn."""

from bench.core.allocator import Allocator
from bench.core.measure import Measure, Processes

FORWARD = Measure("forward", order=50, processes=Processes.SAMPLED, allocator=Allocator.STEADY)
