"""How much faster a forward gets with more threads of the CPU."""

from bench.core.case import Compares
from bench.core.measures.forward import FORWARD
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="scaling",
    title="Speed-up by number of threads",
    measure=FORWARD,
    compares=Compares.THREADS,
    by_default=False,
    grids={
        "quick": Grid(batch_sizes=(1, 8), seq_lens=(128,)),
        "full": Grid(batch_sizes=(1, 8, 32), seq_lens=(32, 128, 512)),
    },
)
