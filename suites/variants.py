"""What each way to run a model gains over float32 step by step, and what it computes otherwise."""

from bench.core.axes import Variant
from bench.core.case import Compares, Measure
from bench.core.suite import Grid, Suite

SUITE = Suite(
    name="variants",
    title="Gain and error of every variant, against float32 eager",
    measure=Measure.FORWARD,
    compares=Compares.VARIANTS,
    by_default=False,
    variants=(
        Variant(attention="eager"),  # the reference
        Variant(),
        Variant("bfloat16"),
        Variant("float16"),
        Variant("bfloat16", attention="flash"),
        Variant("int8"),
        Variant(compile="default"),
        Variant(compile="reduce-overhead"),
        Variant(compile="max-autotune"),
        Variant(backend="onnxruntime"),
        Variant(backend="openvino"),
    ),
    grids={
        "quick": Grid(batch_sizes=(1,), seq_lens=(128,)),
        "full": Grid(batch_sizes=(1, 8), seq_lens=(32, 128, 512)),
    },
)
