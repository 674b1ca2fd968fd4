"""A figure is one file: it is found wherever figures are named, and declares every part."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from synthetic import Plan, write_run
from typer.testing import CliRunner

from bench.cli import main
from bench.core.errors import UsageError
from bench.core.measures.forward import FORWARD
from bench.plan.registry import all_suites
from bench.report import figure_names, figures, plot, write_report
from bench.report.drawing.figure import Figure, Place
from bench.report.plotting import in_order, load

LATENCY = Plan(suites={"latency": (FORWARD, ((1, 16),))}, processes=2, rounds=4)
TOY = """
from bench.report.drawing import canvas
from bench.report.drawing.figure import Drawn, Figure, Place

def draw(view, context):
    figure, (axes,) = canvas.new(2.0)
    axes.plot([0, 1], [0, 1])
    return Drawn("A toy goes up", ("It is of " + view.reference + ".",), figure, "A line.")

FIGURE = Figure(
    title="A toy",
    explanation="Up is more.",
    needs=("latency",),
    suites=("latency",),
    place=Place.SAMPLES,
    draw=draw,
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder whose files are figures as well."""
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(tmp_path / "more")])
    (tmp_path / "more").mkdir()
    yield tmp_path / "more"
    for name in [n for n in sys.modules if n.startswith(f"{figures.__name__}.toy")]:
        del sys.modules[name]
        monkeypatch.delattr(figures, name.rpartition(".")[2], raising=False)


def test_a_file_in_the_folder_is_in_the_help_of_plot(folder):
    """No list names it."""
    (folder / "toy.py").write_text(TOY)
    spec = importlib.util.spec_from_file_location("main_again", main.__file__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    words = CliRunner().invoke(again.app, ["plot", "--help"]).output.replace(",", " ").split()
    assert {"toy", "latency"} <= set(words)


def test_a_file_in_the_folder_is_drawn_and_explained_on_the_page(folder, tmp_path):
    """In the section it names, with its files beside the page."""
    (folder / "toy.py").write_text(TOY)
    run = write_run(tmp_path / "run", LATENCY)
    page = write_report([run], tmp_path / "report").read_text(encoding="utf-8")
    section = page.partition('<section id="distribution"')[2].partition("</section>")[0]
    for text in ("A toy goes up", "Up is more.", "It is of bert-base-uncased."):
        assert text in section
    assert (tmp_path / "report" / "figures" / "toy.svg").exists()


@pytest.mark.rendered
def test_a_file_in_the_folder_can_be_plotted(folder, tmp_path):
    """By the file's name."""
    (folder / "toy.py").write_text(TOY)
    files = plot(write_run(tmp_path / "run", LATENCY), "toy", tmp_path / "out")
    assert [file.name for file in files] == ["toy.svg", "toy.png"]


REQUIRED = [f.name for f in fields(Figure) if f.default is MISSING]


@pytest.mark.parametrize("part", REQUIRED)
def test_a_figure_that_leaves_a_part_out_fails_at_import(folder, part):
    """And the error names the part."""
    left = [line for line in TOY.splitlines() if not line.startswith(f"    {part}=")]
    (folder / "toy.py").write_text("\n".join(left))
    with pytest.raises(TypeError, match=part):
        load("toy")


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("explanation", '""', "'A toy' declares an empty explanation"),
        ("needs", "()", "'A toy' declares an empty needs"),
        ("needs", '("latencies",)', "needs the unknown metric 'latencies'"),
    ],
)
def test_a_figure_with_an_empty_or_wrong_part_fails_at_import(folder, part, value, message):
    """What is misspelt is found before a page lacks it."""
    lines = [
        f"    {part}={value}," if line.startswith(f"    {part}=") else line
        for line in TOY.splitlines()
    ]
    (folder / "toy.py").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=message):
        load("toy")


def test_a_file_that_declares_no_figure_is_an_error(folder):
    """Nothing else belongs into the folder."""
    (folder / "toy.py").write_text("")
    with pytest.raises(TypeError, match=r"toy\.py declares no FIGURE"):
        load("toy")


def test_a_figure_without_data_says_what_it_needs_and_what_measures_that(tmp_path):
    """The command can be typed as it stands."""
    run = write_run(tmp_path / "run", LATENCY)
    with pytest.raises(UsageError, match=r"needs peak_activation_bytes \(bench run memory\)"):
        plot(run, "memory", tmp_path)


def test_every_figure_names_suites_that_there_are():
    """And each place that has figures has one that leads."""
    found = in_order()
    assert list(found) != figure_names()
    assert {suite for figure in found.values() for suite in figure.suites} <= set(all_suites())
    led = [figure.place for figure in found.values() if figure.leads]
    assert sorted(led, key=list(Place).index) == [p for p in Place if p is not Place.QUESTIONS]


def test_nothing_but_figures_lies_in_their_folder():
    """What they share is elsewhere."""
    folder = Path(figures.__file__).parent
    assert {p.stem for p in folder.glob("*.py")} - {"__init__"} == set(figure_names())
