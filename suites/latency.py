"""How long one sequence takes, across sequence lengths."""

from bench.core.measures.forward import FORWARD
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="latency",
    title="Seconds per forward at batch 1, by sequence length",
    measure=FORWARD,
    grids={
        "quick": Grid(batch_sizes=(1,), seq_lens=(32, 128, 512)),
        "full": Grid(batch_sizes=(1,), seq_lens=(16, 32, 64, 128, 256, 512)),
    },
)
