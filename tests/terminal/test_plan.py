"""`bench list`: the plan fits a terminal and says what it costs."""

from dataclasses import replace
from io import StringIO

from fakes import ALBERT, BERT, case, pair
from rich.console import Console

from bench.core.axes import Dtype
from bench.core.case import Compares
from bench.core.measures.static import STATIC
from bench.core.suite import Sampling
from bench.plan.estimate import estimate
from bench.terminal.plan import show_plan


def shown(cases, models=(BERT, ALBERT), width=80, **sampling):
    """The lines of a plan."""
    out = Console(file=StringIO(), width=width)
    show_plan(out, cases, estimate(cases, models, Sampling(**sampling)))
    return out.file.getvalue().splitlines()


def test_a_plan_shows_what_it_costs():
    """The models once, a row per workload, and cases, processes and minutes at the end."""
    lines = shown([*pair(), *pair(seq_len=8)], width=100, processes=3, budget_s=30)
    assert lines[0] == "models: bert, albert"
    assert [line.split()[-3:] for line in lines[2:4]] == [["1", "x", "16"], ["1", "x", "8"]]
    assert "4 cases in 3 worker processes, at most about 3 minutes" in lines[-1]


def test_a_plan_of_one_is_told_in_the_singular():
    """One case, one process, one minute."""
    one = [case(measure=STATIC)]
    assert "1 case in 1 worker process, at most about 1 minute (" in " ".join(shown(one))


def test_a_plan_names_models_where_a_row_has_not_all():
    """Variants of one model are a row of their own; long names stay on their line."""
    cases = [
        replace(case("bert", suite="variants", dtype=d), compares=Compares.VARIANTS)
        for d in (Dtype.FLOAT32, Dtype.BFLOAT16)
    ]
    lines = shown([*cases, *pair()])
    assert any("2 variants" in line and line.endswith("bert") for line in lines)
    assert max(map(len, lines)) <= 80
