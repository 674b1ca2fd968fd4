"""Looking for the largest batch that fits into a limit of memory."""

from bench.core.measure import Measure, Need, Processes, Start

CAPACITY = Measure(
    "capacity",
    order=40,
    processes=Processes.SEARCHED,
    start=Start.FRESH,  # the whole process counts, with its libraries
    alone=True,
    needs=(Need.PLAIN_MODULE, Need.MEMORY_LIMIT),
    assumed_processes=14,
)
