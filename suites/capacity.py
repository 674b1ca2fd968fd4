"""The largest batch that fits into the memory there is."""

from bench.core.measures.capacity import CAPACITY
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="capacity",
    title="Largest batch within --memory-limit (CUDA: the device's memory)",
    measure=CAPACITY,
    by_default=False,
    grids={
        "quick": Grid(batch_sizes=(1,), seq_lens=(512,)),
        "full": Grid(batch_sizes=(1,), seq_lens=(32, 128, 512)),
    },
)
