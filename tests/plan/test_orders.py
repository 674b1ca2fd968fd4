import dataclasses

import pytest
from fakes import BERT, RANDOM, case, job, pair

from bench.core.architecture import Model, Weights
from bench.core.axes import REFERENCE, Backend, Dtype, Variant
from bench.plan.jobs import Source
from bench.plan.orders import Crosscheck, Probe, Selftest, decode, encode

MODEL = dataclasses.replace(BERT, config={"hidden_act": "gelu_new", "use_cache": False})
ORDERS = (
    Probe((REFERENCE, Variant(backend=Backend("openvino")))),
    Selftest(0.02, 100, 1.5),
    Crosscheck((case(), case("albert")), (MODEL,), threads=2, rounds=20, forwards=3),
    job(
        pair(dtype=Dtype.BFLOAT16),
        models=(MODEL, Model("x", "owner/x", revision="main")),
        sources={"bert": RANDOM, "albert": Source("some/where", Weights.PRETRAINED)},
    ),
)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
def test_an_order_arrives_as_it_was_sent(order):
    """In one line, whatever it is."""
    line = encode(order)
    assert "\n" not in line
    assert decode(line + "\n") == order
