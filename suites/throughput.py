"""How many sequences and tokens a second, across batch sizes."""

from bench.core.measures.forward import FORWARD
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="throughput",
    title="Sequences and tokens per second, by batch size",
    measure=FORWARD,
    grids={
        "quick": Grid(batch_sizes=(1, 4, 8), seq_lens=(128,)),
        "full": Grid(batch_sizes=(1, 2, 4, 8, 16, 32), seq_lens=(16, 32, 64, 128, 256, 512)),
    },
)
