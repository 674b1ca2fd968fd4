"""A metric is one declaration: a new one shows wherever metrics do, and no part is left out."""

from __future__ import annotations

from dataclasses import fields
from io import StringIO

import pytest
from fakes import pair, write_run
from rich.console import Console

from bench.compare import judgement, stored_runs
from bench.compare.findings import Verdict
from bench.compare.thresholds import Thresholds
from bench.core.measures import all_measures
from bench.core.measures.memory import MEMORY
from bench.core.metric import (
    Better,
    Column,
    Disturbance,
    Headline,
    Judged,
    Metric,
    TerminalRow,
    Unit,
)
from bench.core.metrics import METRICS, _by_name, headlines, metric
from bench.report.cards import cards
from bench.report.case_tables import case_tables
from bench.report.disturbances import disturbance_table
from bench.report.view import View
from bench.stats.ratios import ratios
from bench.stats.summary import summarise
from bench.terminal.results import show_results

TOY = Metric(
    "toy",
    Unit.BYTES,
    "Bytes of a toy",
    Better.LESS,
    Judged.EXACTLY,
    (
        TerminalRow(),
        Column("Toys", (MEMORY,), ratio=True),
        Headline("Toys", "counted in a box", "memory"),
    ),
)


@pytest.fixture
def toy_run(tmp_path, monkeypatch):
    """Two runs of two models with a toy metric, which the second run's second model has less of."""
    monkeypatch.setitem(METRICS, TOY.name, TOY)

    def write(name, values):
        bert, albert = pair(measure=MEMORY)
        measured = {bert.id: {"toy": [values[0]]}, albert.id: {"toy": [values[1]]}}
        return write_run(tmp_path / name, [bert, albert], None, measured)

    return write("old", (8e6, 4e6)), write("new", (8e6, 2e6))


def test_a_new_metric_is_in_the_summary_and_in_the_ratios(toy_run):
    """Its unit and its direction are all that these need."""
    summary, compared = summarise(toy_run[0]), ratios(toy_run[0])
    rows = summary[summary["metric"] == "toy"]
    assert rows[["model", "unit", "value"]].to_numpy().tolist() == [
        ["bert", "B", 8e6],
        ["albert", "B", 4e6],
    ]
    assert compared.loc[compared["metric"] == "toy", "ratio"].tolist() == [0.5]


def test_a_new_metric_is_in_the_terminal_s_table(toy_run):
    """By its title."""
    out = Console(file=StringIO(), width=120)
    show_results(out, summarise(toy_run[0]), ratios(toy_run[0]))
    (line,) = [line for line in out.file.getvalue().splitlines() if TOY.title in line]
    assert line.split()[-5:-1] == ["8.00", "MB", "4.00", "MB"]


def test_a_new_metric_is_a_column_and_a_card_of_the_page(toy_run):
    """With its ratio to the reference beside it."""
    view = View.of(toy_run[0].directory)
    (table,) = case_tables([view])
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["Toys, MB"] for row in found] == ["8.00", "4.00"]
    assert [row["Toys vs reference"] for row in found] == ["", "0.500"]
    (card,) = [card for card in cards(view) if card.title == "Toys"]
    assert [entry.big for entry in card.entries] == ["0.500×"]


def test_a_new_metric_that_disturbs_is_a_row_of_the_page(tmp_path, monkeypatch):
    """Summed up over the run as it declares."""
    toy = Metric(
        "toy", Unit.COUNT, "Toys dropped", Better.NEITHER, Judged.NEVER, (Disturbance.HIGHEST,)
    )
    monkeypatch.setitem(METRICS, toy.name, toy)
    (one, *_) = pair()
    run = write_run(tmp_path / "run", [one], None, {one.id: {"toy": [3.0, 5.0]}})
    table = disturbance_table(View.of(run.directory))
    assert [row[:2] for row in table.rows] == [["Toys dropped", "5 at most"]]


def test_a_comparison_of_runs_judges_a_new_metric_as_it_declares(toy_run, monkeypatch):
    """Counted: the least difference is a change. Never judged: there is no finding."""
    old, new = (stored_runs.figures(run, summarise(run), ratios(run)) for run in toy_run)
    found = judgement.compare(old, new, Thresholds()).findings
    assert {f.verdict for f in found if f.metric == "toy"} == {Verdict.EQUAL, Verdict.CHANGED}
    never = Metric(TOY.name, TOY.unit, TOY.title, TOY.better, Judged.NEVER, TOY.shown)
    monkeypatch.setitem(METRICS, TOY.name, never)
    found = judgement.compare(old, new, Thresholds()).findings
    assert not [f for f in found if f.metric == "toy"]


@pytest.mark.parametrize("part", [field.name for field in fields(Metric)])
def test_no_part_of_a_declaration_can_be_left_out(part):
    """Where a metric shows and how it is judged are decided for each, even if the answer is no."""
    parts = {field.name: getattr(TOY, field.name) for field in fields(Metric)}
    del parts[part]
    with pytest.raises(TypeError, match=part):
        Metric(**parts)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("name", "a toy", "needs an identifier"),
        ("title", "", "needs an identifier as its name, and a title"),
        ("unit", "B", "'B' is no Unit"),
        ("better", -1, "-1 is no Better"),
        ("unit", Unit.SECONDS, "seconds are never counted"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_an_error(part, value, message):
    """At import, not in somebody's run."""
    parts = {field.name: getattr(TOY, field.name) for field in fields(Metric)}
    with pytest.raises(ValueError, match=message):
        Metric(**{**parts, part: value})


def test_a_name_is_declared_once():
    """A second declaration would silently replace the first."""
    with pytest.raises(ValueError, match="'toy' is declared twice"):
        _by_name([TOY, TOY])


def test_a_part_is_measured_like_its_whole():
    """`stored_parameters.encoder` has the unit of `stored_parameters`."""
    assert metric("stored_parameters.encoder") is METRICS["stored_parameters"]


def test_an_unknown_metric_is_an_error():
    """A typo in a metric's name is found at once, not written to a file."""
    with pytest.raises(KeyError):
        metric("latencies")


def test_the_page_opens_with_what_is_counted_then_memory_then_time():
    """What is exact comes first."""
    assert list(headlines()) == [
        "Stored parameters",
        "Weights on disk",
        "Peak memory",
        "Latency",
        "Throughput",
    ]


def test_columns_of_a_table_have_titles_of_their_own():
    """Two metrics in one column would hide one of them."""
    for kind in all_measures():
        titles = [
            (column.title, column.scale)
            for one in METRICS.values()
            for column in one.columns
            if kind in column.kinds
        ]
        assert len(titles) == len(set(titles))


def test_on_cuda_what_an_allocator_counts_may_differ_by_a_block():
    """Elsewhere, and for what is counted otherwise, the least difference is a change."""
    peak, flops = METRICS["peak_activation_bytes"], METRICS["flops"]
    assert peak.tolerance("cuda:0") == 0.01
    assert peak.tolerance("cpu") == flops.tolerance("cuda:0") == 0.0
