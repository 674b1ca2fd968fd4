import dataclasses

import pytest
from fakes import BERT, case, job

from bench.core.axes import REFERENCE, Backend, Variant
from bench.plan.orders import Crosscheck, Probe, Selftest, decode, encode

MODEL = dataclasses.replace(BERT, config={"hidden_act": "gelu_new", "use_cache": False})
ORDERS = (
    Probe((REFERENCE, Variant(backend=Backend("openvino")))),
    Selftest(0.02, 100, 1.5),
    Crosscheck((case(), case("albert")), (MODEL,), threads=2, rounds=20, forwards=3),
    job([case()]),
)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
def test_an_order_arrives_as_it_was_sent(order):
    """In one line, whatever it is."""
    line = encode(order)
    assert "\n" not in line
    assert decode(line + "\n") == order
