"""How large the models are: parameters, weight bytes, FLOPs and operators, all counted exactly."""

from bench.core.measures.static import STATIC
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="parameters",
    title="Stored, applied and trainable parameters, FLOPs, operators",
    measure=STATIC,
    grids={"quick": Grid(batch_sizes=(1,), seq_lens=(128, 512))},
)
