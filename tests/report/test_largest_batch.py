"""The table of largest batches."""

from __future__ import annotations

from fakes import case, write_run

from bench.core.measures.capacity import CAPACITY
from bench.report import largest_batch, write_report
from bench.report.view import View


def test_largest_batches_are_a_table_of_the_page(tmp_path):
    """With the limit, the memory used, and the ratio to the reference."""
    cases = [case(model, measure=CAPACITY, seq_len=512) for model in ("bert", "albert")]
    measured = {
        one.id: {
            "largest_batch": [batch],
            "capacity_peak_bytes": [0.98e9],
            "memory_limit_bytes": [1e9],
        }
        for one, batch in zip(cases, (4.0, 12.0), strict=True)
    }
    write_run(tmp_path / "run", cases, None, measured)
    table = largest_batch.table(View.of(tmp_path / "run"))
    assert [row[3:5] for row in table.rows] == [["4", ""], ["12", "3.00×"]]
    assert [cell.replace("\u00a0", " ") for cell in table.rows[0][5:]] == ["980 MB", "1.00 GB"]
    page = write_report([tmp_path / "run"], tmp_path / "page").read_text(encoding="utf-8")
    assert "Largest batch that fits" in page
