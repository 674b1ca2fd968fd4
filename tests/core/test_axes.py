import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.core.axes import (
    AXES,
    BACKENDS,
    REFERENCE,
    TORCH,
    Attention,
    Backend,
    Choice,
    Compile,
    Dtype,
    Head,
    Kind,
    Variant,
    axes_of,
    axis,
    unusual,
)
from bench.core.case import Case, Compares, Workload
from bench.core.measures.forward import FORWARD

IDS = json.loads((Path(__file__).parent.parent / "data" / "ids.json").read_text())
"""Ids that version 0.1 gave, by what is compared and the values of its axes."""


class Layout(Choice):
    """How sequences lie in a batch."""

    PADDED = "padded"
    PACKED = "packed"


@pytest.mark.process
def test_backends_are_found_by_name_with_torch_first():
    """Each module of the room that is no infrastructure is one, and none of them is imported."""
    assert BACKENDS[0] == TORCH
    assert {"torch", "onnxruntime", "openvino"} <= {backend.value for backend in BACKENDS}
    code = "import bench.core.axes, sys; sys.exit('bench.worker' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("of", IDS)
def test_ids_stay_what_they_were(of):
    """Stored runs and baselines are found by them, whatever axes there are."""
    compares, *values = of.split()
    named = zip(("dtype", "attention", "backend", "compile", "head", "cache"), values, strict=True)
    known = {one.name: one for one in AXES}
    variant = Variant(**{name: known[name].parse(text) for name, text in named})
    one = Case(
        *("latency", FORWARD, "own/x~y", variant, Workload(2, 16), "cuda:1", 4),
        Compares(compares),
    )
    assert one.id == IDS[of]


@pytest.mark.parametrize("wrong", [{"dtype": "float32"}, {"backend": "torch"}, {"compile": None}])
def test_a_variant_takes_nothing_but_values_of_its_axes(wrong):
    """A suite is a user's own file, which no type checker may have seen."""
    with pytest.raises(TypeError, match=f"{next(iter(wrong))} is "):
        Variant(**wrong)


def test_a_variant_goes_through_columns_and_back():
    """A row of a stored run has text; a column that it lacks means the default."""
    variant = Variant(Dtype.INT8, backend=Backend("gone"), head=Head.TOKEN)
    row = type("Row", (), variant.columns)
    assert Variant.of_row(row) == variant
    assert Variant.of_row(type("Row", (), {"dtype": "int8"})) == Variant(Dtype.INT8)
    assert list(unusual(row)) == ["int8", "gone", "token-classification"]


def test_a_variant_reads_as_what_is_not_usual_of_it():
    """Dtype is always named; attention is a choice of torch's, and named only there."""
    assert str(Variant()) == "float32 sdpa"
    assert str(REFERENCE) == "float32 eager"
    assert str(Variant(backend=Backend("openvino"))) == "float32 openvino"
    assert str(Variant(compile=Compile.DEFAULT)) == "float32 sdpa compile-default"


def test_what_is_quantised_compiled_or_exported_is_no_plain_module():
    """Attention, head and a floating-point dtype leave it one."""
    plain = (Variant(), Variant(Dtype.FLOAT16, Attention.EAGER, head=Head.TOKEN))
    others = (Variant(Dtype.INT8), Variant(compile=Compile.DEFAULT), Variant(backend=BACKENDS[1]))
    assert all(one.is_plain for one in plain)
    assert not any(one.is_plain for one in others)


def test_a_declaration_cannot_lack_a_part():
    """Meaning and kind are arguments of `axis`, which knows default and choices by themselves."""
    with pytest.raises(TypeError):
        axis(Layout, meaning="Layout")
    with pytest.raises(TypeError):
        axis(Layout, kind=Kind.ENGINE)
    with pytest.raises(TypeError):
        extended(Layout.PADDED)
    with pytest.raises(TypeError):
        extended(field(default=Layout.PADDED))


@pytest.mark.parametrize(
    "wrong",
    [
        {"meaning": ""},
        {"word": "layout"},
        {"choices": (Layout.PADDED, Layout.PADDED)},
        {"choices": (Dtype.FLOAT32, Dtype.INT8)},  # words of another axis
        {"choices": (Backend("a/b"),)},  # would be two parts of an id
    ],
)
def test_a_declaration_that_would_not_work_is_refused_at_import(wrong):
    """An id must say which axis a word is of."""
    right = {"choices": Layout, "meaning": "Layout", "kind": Kind.ENGINE}
    assert extended(axis(**right))[-1].name == "layout"
    with pytest.raises(ValueError, match=r"axis layout: give|axis layout: ids|word of two axes"):
        extended(axis(**{**right, **wrong}))


def extended(default):
    """The axes of Variant and one more, declared so."""

    @dataclass(frozen=True)
    class Extended(Variant):
        layout: Layout = default

    return axes_of(Extended)
