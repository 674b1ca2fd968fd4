"""Where two models need the same memory."""

from __future__ import annotations

from dataclasses import replace

from pages import SMALL, page

from bench.core.measures.memory import MEMORY


def test_what_memory_was_not_counted_at_is_called_an_extrapolation(small, tmp_path):
    """Where the lines meet beyond the largest forward counted, the title says so."""
    title = "ALBERT needs more memory than BERT above about 17,800 tokens in one forward"
    assert f"By extrapolation, {title}" in small[1].text
    assert "The largest forward counted here had 1,024 tokens." in small[1].text
    measured = {**SMALL.suites, "memory": (MEMORY, ((1, 128), (64, 512)))}
    _, found = page(tmp_path, replace(SMALL, suites=measured))
    assert "Above about 17,800 tokens in one forward, ALBERT needs more" in found.text
    assert "By extrapolation" not in found.text
