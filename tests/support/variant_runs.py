"""Runs of variants and threads, and figures drawn of them."""

from __future__ import annotations

from dataclasses import replace

from fakes import case, write_run

from bench.core.axes import Compile, Variant
from bench.core.case import Compares
from bench.report.drawing.canvas import style
from bench.report.view import View

COMPILED = Variant(compile=Compile.DEFAULT)


def variant(of, model="bert"):
    """A case of the suite that compares variants."""
    one = case(model, suite="variants", seq_len=128)
    return replace(one, variant=of, compares=Compares.VARIANTS)


def threads(number, model="bert"):
    """A case of the suite that compares threads."""
    return replace(case(model, suite="scaling", threads=number), compares=Compares.THREADS)


def view(tmp_path, seconds, measured=None):
    """A run in which each case takes so many seconds, in three processes of four rounds."""
    walls = {one.id: [[s] * 4, [s * 1.001] * 4, [s] * 4] for one, s in seconds.items()}
    write_run(tmp_path / "run", list(seconds), walls, measured)
    return View.of(tmp_path / "run")


def drawn(draw, seen):
    """A figure, in the page's style."""
    with style():
        return draw(seen, seen.contexts[0])
