"""How much memory a forward needs: weights, activations, and the process as a whole."""

from bench.core.measures.memory import MEMORY
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="memory",
    title="Weight bytes, peak activation bytes, peak RSS, load time",
    measure=MEMORY,
    grids={
        "quick": Grid(batch_sizes=(1, 8), seq_lens=(128,)),
        "full": Grid(batch_sizes=(1, 8, 32), seq_lens=(16, 128, 512)),
    },
)
