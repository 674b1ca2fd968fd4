"""Several runs on one page: compared, in a course or side by side."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fakes import case
from pages import SMALL, page
from variant_runs import view

from bench.report import several_runs as runs
from bench.report.drawing.canvas import style


def test_two_runs_are_compared_with_the_verdicts_of_the_command(tmp_path):
    """The newest against the one before it: what got worse first, and the rule beside it."""
    source, found = page(tmp_path, SMALL, replace(SMALL, started="2026-11-25T03:33:56Z", seed=1))
    assert "What changed between the last two runs" in found.text
    assert "run1 (candidate) against run0 (baseline)" in found.text
    assert "within noise" in found.text
    assert found.ids.count("comparison-table") == 1
    assert 'href="#comparison"' in source
    _, alone = page(tmp_path / "alone", SMALL)
    assert "comparison-table" not in alone.ids


def test_runs_of_one_fingerprint_are_a_course_and_others_stand_side_by_side(tmp_path):
    """Seconds of runs that cannot be compared are never put in one course."""
    later = replace(SMALL, started="2026-11-25T03:33:56Z", seed=1)
    source, found = page(tmp_path, SMALL, later)
    assert "The runs over time" in found.text
    assert "have the same fingerprint" in found.text
    rows = re.findall(r'<th scope="row">(run\d)</th>', source)
    assert rows == ["run0", "run1"]
    _, found = page(tmp_path / "b", SMALL, replace(later, cpu="Another CPU"))
    assert "The runs side by side" in found.text
    assert "The fingerprints differ (cpu)" in found.text
    assert "is no regression" in found.text
    assert '<th scope="col" data-filter="Run">Run</th>' in source


@pytest.mark.parametrize(
    ("seconds", "tokens", "title"),
    [
        (1.1, 16, "The runs agree about albert: their intervals have ratios in common"),
        (1.3, 16, "The runs do not agree about albert: no ratio lies in all their intervals"),
        (1.3, 32, "Latency of albert against the reference, run by run"),
    ],
)
def test_only_runs_of_one_workload_agree_or_not(tmp_path, seconds, tokens, title):
    """What a model takes at another length contradicts nothing."""
    first = view(tmp_path / "first", {case("bert"): 1.0, case("albert"): 1.1})
    bert, albert = (case(model, seq_len=tokens) for model in ("bert", "albert"))
    second = view(tmp_path / "second", {bert: 1.0, albert: seconds})
    with style():
        assert runs.runs_figure([first, second]).title == title
