"""How long from nothing to the first output: import, read the weights, first forward."""

from bench.core.measures.cold_start import COLD_START
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="cold_start",
    title="Seconds from process start to first output",
    measure=COLD_START,
    grids={"quick": Grid(batch_sizes=(1,), seq_lens=(128,))},
)
