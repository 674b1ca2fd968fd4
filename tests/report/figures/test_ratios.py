"""The figure of every ratio."""

from __future__ import annotations

from fakes import case
from variant_runs import drawn, view

from bench.report.figures import ratios as every_ratio


def test_a_figure_of_few_ratios_has_room_for_what_is_written_along_its_side(tmp_path):
    """Two rows are less high than the words for them."""
    cases = [case(m, seq_len=n) for n in (8, 16) for m in ("bert", "albert")]
    figure = drawn(every_ratio.draw, view(tmp_path, dict.fromkeys(cases, 1.0))).figure
    figure.draw_without_rendering()
    label = figure.axes[0].yaxis.label.get_window_extent()
    assert figure.bbox.y0 < label.y0 < label.y1 < figure.bbox.y1
