import dataclasses

import pytest
from fakes import BERT, case, of

from bench.checks.selftest import ALLOCATION_BYTES
from bench.core.axes import REFERENCE, Attention, Dtype, Variant
from bench.core.case import Status
from bench.core.events import Begin, Compared, Failed, Known, Quantity
from bench.plan.orders import Crosscheck, Selftest
from bench.worker.checks import crosscheck, selftest


def crosscheck_order(*variants):
    """A tiny model in these variants."""
    cases = tuple(dataclasses.replace(case(), variant=one) for one in variants)
    return Crosscheck(cases, (BERT,), threads=1, rounds=3, forwards=2)


def test_variants_are_timed_both_ways_and_those_that_cannot_run_have_a_reason():
    """Real forwards of a tiny model; how long they take is no concern of this test."""
    told = []
    order = crosscheck_order(REFERENCE, Variant(Dtype.BFLOAT16, attention=Attention.FLASH))
    crosscheck.measure(order, told.append)
    first, second = order.cases
    (found,) = of(Compared, told)
    assert (found.case, found.way, len(found.log_ratios)) == (
        first.id,
        "torch.utils.benchmark.Timer",
        3,
    )
    (failed,) = of(Failed, told)
    assert (failed.case, failed.status) == (second.id, Status.SKIPPED)
    assert [one.cases for one in of(Begin, told)] == [(first.id,), (second.id,)]


def test_a_variant_that_breaks_is_reported_and_the_others_go_on(monkeypatch):
    """With the first line of what it raised."""

    def broken(*_, **__):
        raise RuntimeError("no such\nkernel")

    monkeypatch.setattr(crosscheck, "build", broken)
    told = []
    order = crosscheck_order(REFERENCE, Variant())
    crosscheck.measure(order, told.append)
    assert of(Failed, told) == [
        Failed(one.id, Status.FAILED, "RuntimeError: no such") for one in order.cases
    ]


def test_a_selftest_reports_every_quantity():
    """An allocation is counted, so that its value is known here too."""
    told = []
    selftest.measure(Selftest(0.001, ALLOCATION_BYTES, 0.01), told.append)
    values = {one.quantity: one.value for one in of(Known, told)}
    assert list(values) == list(Quantity)
    assert values[Quantity.ALLOCATION] == pytest.approx(ALLOCATION_BYTES, rel=0.01)
