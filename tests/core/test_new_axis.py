"""One field more in `Variant` is all it takes: the axis is wherever an axis must be."""

import importlib
import sys
from dataclasses import dataclass, replace
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

OURS = ("bench", "suites", "synthetic")


def _ours():
    return {name for name in sys.modules if name.partition(".")[0] in OURS}


@pytest.fixture(scope="module")
def axes():
    """Our modules, imported anew around a Variant with an axis `layout`; later they are gone."""
    before = {name: sys.modules.pop(name) for name in _ours()}
    axes = importlib.import_module("bench.core.axes")

    class Layout(axes.Choice):
        PADDED = "padded"
        PACKED = "packed"

    declared = axes.axis(Layout, meaning="Layout of a batch", kind=axes.Kind.ENGINE)

    @dataclass(frozen=True)
    class Variant(axes.Variant):
        layout: Layout = declared

    axes.Variant, axes.Layout = Variant, Layout
    axes.AXES = axes.axes_of(Variant)
    axes.AXIS_NAMES = tuple(one.name for one in axes.AXES)
    axes.REFERENCE = Variant(attention=axes.Attention.EAGER)
    yield axes
    for name in _ours():
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def planned(axes):
    """What the command line plans for `--layout packed --layout padded`."""
    from bench.cli.options import plan_options
    from bench.plan.grid import make_cases
    from bench.plan.registry import pick_models, pick_suites

    asked = {"layout": (axes.Layout.PACKED.value, axes.Layout.PADDED.value)}
    options = plan_options(asked, ["latency"], model=["bert-base-uncased"], seq_len=[16])
    suites, models = pick_suites(options.suites), pick_models(options.models)
    return options, make_cases(suites, models, replace(options, devices=("cpu",)))[0]


@pytest.mark.usefixtures("axes")
@pytest.mark.parametrize("verb", ["run", "list"])
def test_it_is_an_option(verb):
    """With its meaning, its choices and the usual one of them."""
    from bench.cli.main import app

    shown = " ".join(CliRunner().invoke(app, [verb, "--help"]).output.split())
    assert "--layout" in shown
    assert "Layout of a batch: padded (usual) or packed; repeatable." in shown
    refused = CliRunner().invoke(app, ["list", "--layout", "x"]).exception
    assert str(refused) == "--layout is 'x': choose from padded, packed"


def test_it_is_in_plans_and_ids(planned):
    """Its default is in no id: cases are called what they were called before."""
    cases = planned[1]
    assert [case.variant.columns["layout"] for case in cases] == ["packed", "padded"]
    packed, padded = (case.id.split("/") for case in cases)
    assert [part for part in packed if part != "packed"] == padded


def test_a_suite_of_variants_is_narrowed_by_it(axes):
    """Only the reference is left of a suite that has none of the value."""
    from bench.plan.grid import make_cases
    from bench.plan.options import Options
    from bench.plan.registry import pick_models, pick_suites

    options = Options(axes={"layout": (axes.Layout.PACKED,)})
    cases, _ = make_cases(pick_suites(["variants"]), pick_models(["bert-base-uncased"]), options)
    assert [case.variant for case in cases] == [axes.REFERENCE]


def test_it_travels_to_a_worker_and_into_stored_options(planned):
    """And back, by its values."""
    from bench.core.architecture import Weights
    from bench.core.plain import to_plain
    from bench.plan.jobs import Job, Source
    from bench.plan.orders import decode, encode
    from bench.plan.stored_options import from_stored

    options, cases = planned
    assert from_stored(to_plain(options)) == options
    facts = {"bert-base-uncased": Source(None, Weights.RANDOM)}
    sent = Job(cases[0].measure, 1, tuple(cases), (), facts, 1, 0, {}, 0.02)
    assert decode(encode(sent)) == sent


@pytest.mark.usefixtures("axes")
def test_it_is_a_column_and_a_key():
    """Of every file with identity columns, and of what makes two cases of two runs the same."""
    from bench.compare.stored_runs import KEY
    from bench.results.schema import ABSENT, IDENTITY

    assert "layout" in IDENTITY
    assert "layout" in KEY
    assert ABSENT["layout"] == "padded"


def test_the_terminal_names_it(planned):
    """While a case is measured, in the plan, and in sentences."""
    from bench.plan.estimate import Estimate
    from bench.terminal.plan import show_plan
    from bench.terminal.progress import describe

    cases, out = planned[1], Console(file=StringIO(), width=120)
    assert "packed" in describe(cases[0])
    assert "padded" not in describe(cases[1])
    show_plan(out, cases, Estimate(1, 1.0))
    assert "float32 sdpa packed" in out.file.getvalue()


def test_a_row_of_results_names_it(axes):
    """What is unusual of a row stands in every sentence about it."""
    row = SimpleNamespace(device="cpu", dtype="float32", layout="packed")
    assert list(axes.unusual(row)) == ["packed"]
    assert axes.Variant.of_row(row).layout is axes.Layout.PACKED


def test_the_page_has_it(axes, tmp_path):
    """As a column of its tables, and as a context of its figures."""
    import synthetic

    from bench.report import write_report
    from bench.report.view import CONTEXT

    variants = (axes.Variant(), axes.Variant(layout=axes.Layout.PACKED))
    suites = {"parameters": synthetic.SUITES["parameters"]}
    plan = synthetic.Plan(suites=suites, variants=variants, processes=1)
    run = synthetic.write_run(tmp_path / "run", plan)
    page = write_report([run], tmp_path / "page").read_text(encoding="utf-8")
    assert ">Layout<" in page
    assert ">packed<" in page
    assert "layout" in CONTEXT
