"""The figure of threads."""

from __future__ import annotations

from variant_runs import drawn, threads, view

from bench.report.figures import scaling


def test_the_figure_of_threads_says_how_much_of_a_perfect_speed_up_they_bring(tmp_path):
    """2.5 times as fast on four threads is 62 %; how busy each of them is, is another matter."""
    seconds = {threads(1): 1.0, threads(2): 0.6, threads(4): 0.4}
    found = drawn(scaling.draw, view(tmp_path, seconds))
    assert found.title == (
        "At batch 1, 16 tokens bert runs 2.50× as fast on 4 threads as on one: "
        "62 % of a perfect speed-up"
    )
