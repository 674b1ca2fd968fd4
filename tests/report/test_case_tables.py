"""Every case stands in a table."""

from __future__ import annotations

import re
from dataclasses import replace

from pages import LATENCY, SMALL, page
from synthetic import write_run

from bench.core.measures.text import TEXT
from bench.report import write_report


def test_cases_of_a_text_and_of_kinds_without_columns_of_their_own_are_listed(tmp_path):
    """Every case stands in a table, whatever was measured."""
    suites = {**LATENCY, "text": (TEXT, ((1, 0),))}
    source, found = page(tmp_path, replace(SMALL, suites=suites))
    assert "Cases on a text (2)" in found.text
    assert "Words/s" in found.text
    run = write_run(tmp_path / "other", replace(SMALL, suites=LATENCY))
    path = run / "cases.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",forward,", ",something_new,"))
    source = write_report([run], tmp_path / "later").read_text(encoding="utf-8")
    assert "Cases measured as something new (4)" in source
    assert "Latency (median), ms" in source


def test_a_percentile_without_enough_samples_is_not_shown(small):
    """36 samples allow p90 (29) and neither p95 (59) nor p99 (299)."""
    heads = re.findall(r"<th[^>]*>([^<]+)</th>", small[0])
    assert "p90, ms" in heads
    assert "p95, ms" not in heads
    assert "p99, ms" not in heads


def test_a_case_says_how_many_processes_gave_its_numbers(small):
    """The evidence behind an interval."""
    assert "Processes" in re.findall(r"<th[^>]*>([^<]+)</th>", small[0])
