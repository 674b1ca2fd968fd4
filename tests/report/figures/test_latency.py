"""The figure of latency."""

from __future__ import annotations

import pytest
from fakes import case
from variant_runs import drawn, view

from bench.report.figures import latency


@pytest.mark.parametrize("others", [1, 2, 5, 9])
def test_marks_of_one_length_stand_apart_from_those_of_the_next(tmp_path, others):
    """However many models stand side by side at each."""
    names = ["bert", *(f"albert-{i}" for i in range(others))]
    cases = [case(name, seq_len=n) for n in (8, 16, 32) for name in names]
    _, axes = drawn(latency.draw, view(tmp_path, dict.fromkeys(cases, 1.0))).figure.axes
    drawn_at = [bars.lines[0].get_xdata() for bars in axes.containers]
    at_8, at_16 = ([x[i] for x in drawn_at] for i in (0, 1))
    assert len(at_8) == others
    before_last = sorted(at_8)[-2:][0]
    assert min(at_16) / max(at_8) > max(at_8) / before_last
