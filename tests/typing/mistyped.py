"""What mypy must refuse: `tox -e types` fails where one of these is no error any more."""

from bench.core.axes import Attention, Variant
from bench.core.case import Case, Workload
from bench.core.measures.forward import FORWARD
from bench.plan.jobs import Source

Variant(dtype="flot32")  # type: ignore[arg-type]
Variant(dtype=Attention.SDPA)  # type: ignore[arg-type]
Variant(backend="torch")  # type: ignore[arg-type]
Source(None, "random")  # type: ignore[arg-type]
Case("s", "forward", "m", Variant(), Workload(1, 8), "cpu", 1)  # type: ignore[arg-type]
Case("s", FORWARD, "m", Variant(), Workload(1, 8), "cpu", 1, "models")  # type: ignore[arg-type]

assert Variant().dtype != "float32"  # type: ignore[comparison-overlap]
