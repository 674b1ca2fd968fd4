"""The figure of samples in their order."""

from __future__ import annotations

from fakes import case, write_run
from variant_runs import drawn

from bench.report.figures import course
from bench.report.view import View


def test_a_course_of_great_spread_is_logarithmic_and_counts_whole_forwards(tmp_path):
    """However far below the fastest sample a margin would reach."""
    one = case()
    write_run(tmp_path / "run", [one], {one.id: [[0.01, 0.01, 0.01, 1.0]] * 2})
    (axes,) = drawn(course.draw, View.of(tmp_path / "run")).figure.axes
    assert axes.get_yscale() == "log"
    assert all(tick == int(tick) for tick in axes.get_xticks())
