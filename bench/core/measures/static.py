"""Counting what needs no clock: parameters, bytes, FLOPs, operators."""

from bench.core.measure import Measure, Need, Processes, Start

STATIC = Measure(
    "static",
    order=10,
    processes=Processes.ONE,
    start=Start.FORKED,
    needs=(Need.PLAIN_MODULE,),
)
