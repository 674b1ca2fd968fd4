"""How much faster each variant is than float32 eager, and how far its output is off."""

from bench.core.axes import BACKENDS, REFERENCE, TORCH, Attention, Compile, Dtype, Variant
from bench.core.case import Compares
from bench.core.measures.forward import FORWARD
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="variants",
    title="Speed-up and error of every variant, against float32 eager",
    measure=FORWARD,
    compares=Compares.VARIANTS,
    by_default=False,
    variants=(
        REFERENCE,
        Variant(),
        Variant(Dtype.BFLOAT16),
        Variant(Dtype.FLOAT16),
        Variant(Dtype.BFLOAT16, Attention.FLASH),
        Variant(Dtype.INT8),
        *(Variant(compile=mode) for mode in Compile if mode is not Compile.NONE),
        *(Variant(backend=backend) for backend in BACKENDS if backend != TORCH),
    ),
    grids={
        "quick": Grid(batch_sizes=(1,), seq_lens=(128,)),
        "full": Grid(batch_sizes=(1, 8), seq_lens=(32, 128, 512)),
    },
)
