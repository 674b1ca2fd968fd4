"""Figures as files, and which of them are drawn."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest
from pages import LATENCY, SMALL, page
from synthetic import write_run

from bench.core.axes import Dtype, Variant
from bench.core.errors import UsageError
from bench.report import figure_names, plot, write_report


def test_figures_of_several_contexts_say_which_is_theirs(tmp_path):
    """The same figure for another dtype does not have the same title."""
    variants = (Variant(), Variant(dtype=Dtype.BFLOAT16))
    source, _ = page(tmp_path, replace(SMALL, suites=LATENCY, variants=variants))
    titles = re.findall(r"<h3[^>]*>(On cpu, [^:]+):", source)
    assert titles == ["On cpu, float32, 2 threads", "On cpu, bfloat16, 2 threads"] * 2


def test_reporting_and_plotting_refuse_what_is_not_a_run(tmp_path):
    """A wrong directory, no directory and an unknown figure are one clear line each."""
    with pytest.raises(UsageError, match="no run at"):
        write_report([tmp_path / "none"], tmp_path / "report")
    with pytest.raises(UsageError, match="no run to report on"):
        write_report([], tmp_path / "report")
    run = write_run(tmp_path / "run", replace(SMALL, suites=LATENCY))
    with pytest.raises(UsageError, match="no figure 'x': choose from accuracy"):
        plot(run, "x", tmp_path)
    with pytest.raises(UsageError, match="has nothing to draw 'memory' from"):
        plot(run, "memory", tmp_path)


@pytest.mark.rendered
def test_plot_writes_one_figure_as_svg_and_png(tmp_path):
    """The files stand alone: a title, text that is text, white paper, no style attribute."""
    run = write_run(tmp_path / "run", SMALL)
    vector, bitmap = plot(run, "latency", tmp_path / "out")
    assert bitmap.read_bytes().startswith(b"\x89PNG")
    text = vector.read_text(encoding="utf-8")
    assert ">Sequence length, tokens</text>" in text
    assert "slower at" in text
    assert "style=" not in text


def test_every_figure_is_written_with_the_page(small):
    """`figures/` holds an SVG and a PNG of each; those of ways to run need a run that has some."""
    names = {p.name for p in (small[2] / "report" / "figures").iterdir()}
    usual = set(figure_names()) - {"variants", "scaling", "family"}  # see figures/
    assert names == {f"{n}.{kind}" for n in usual for kind in ("svg", "png")}


@pytest.mark.process
def test_names_of_figures_cost_no_drawing_library():
    """`bench --help` can list figures without matplotlib, and a report never imports torch."""
    code = "import sys, bench.report; print({'matplotlib', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
