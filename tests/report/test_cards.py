"""The page's cards, and the table for models beyond them."""

from __future__ import annotations

from fakes import case, write_run
from variant_runs import view

from bench.core.measures.memory import MEMORY
from bench.report import cards, write_report
from bench.report.verdict import verdict
from bench.report.view import View


def test_of_many_models_the_page_opens_with_three_and_a_table_has_all(tmp_path):
    """Neither sentences nor cards go on for pages."""
    names = [f"bert-{i}" for i in range(7)]
    seconds = {case(name): 1.0 + 0.1 * i for i, name in enumerate(names)}
    measured = {one.id: {"stored_parameters": [1e6], "weight_bytes": [4e6]} for one in seconds}
    seen = view(tmp_path, seconds, measured)
    said = verdict(seen).sentences
    assert said[-1].replace("\u00a0", " ") == "3 more models are in the table."
    assert not any("bert-4" in text for text in said)
    assert all(len(card.entries) == 3 for card in cards.cards(seen) if card.entries)
    table = cards.table(seen)
    assert [row[0] for row in table.rows] == names[1:]
    assert table.rows[5][table.columns.index("Latency")].startswith("1.60×")
    page = write_report([seen.run.directory], tmp_path / "page").read_text(encoding="utf-8")
    assert "Every model against bert-0" in page


def test_the_note_of_a_table_of_models_keeps_the_capitals_of_its_words(tmp_path):
    """RSS is an abbreviation."""
    cases = [case(f"bert-{i}", measure=MEMORY) for i in range(7)]
    run = write_run(tmp_path / "run", cases, None, {c.id: {"peak_rss_bytes": [1e6]} for c in cases})
    note = cards.table(View.of(run.directory)).note
    assert "Peak memory: peak RSS above the libraries, batch 1, 16 tokens." in note


def test_few_models_need_no_table_of_models(tmp_path):
    """The cards hold them all."""
    assert cards.table(view(tmp_path, {case("bert"): 1.0, case("albert"): 1.1})) is None
