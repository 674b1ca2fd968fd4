"""The files of a run inside its page."""

from __future__ import annotations

import base64
import gzip
import html
import re
from dataclasses import replace

from pages import SMALL, page
from synthetic import ALBERT, write_run

from bench.core.architecture import Model
from bench.report import write_report
from bench.results import csv_format
from bench.results import schema as tables
from suites.models import BERT_BASE


def saved(source):
    """The files that a page's links give: by name their kind and contents."""
    links = re.findall(r'<a href="data:([\w/]+);base64,([^"]+)" download="([^"]+)"', source)
    return {name: (kind, base64.b64decode(html.unescape(data))) for kind, data, name in links}


def test_downloaded_tables_are_written_as_those_of_the_run(tmp_path):
    """No formula in them computes, and bench itself reads them back."""
    formula = Model("=cmd|x", "x/y", BERT_BASE)
    found = saved(page(tmp_path, replace(SMALL, models=(formula, ALBERT)))[0])
    for table, column in (("summary", "model"), ("ratios", "reference")):
        data = found[f"run0-{table}.csv"][1]
        assert b",'=cmd|x," in data
        assert "=cmd|x" in set(csv_format.decode(data, tables.TABLES[table])[column])


def test_downloads_hold_the_run_s_files(tmp_path):
    """Each link gives back the file, compressed where that was said."""
    run = write_run(tmp_path / "run", replace(SMALL, processes=5, rounds=60))
    for table in ("rounds", "gemm"):
        text = csv_format.encode(tables.TABLES[table], [], header=True)
        (run / f"{table}.csv").write_text(text, encoding="utf-8")
    source = write_report([run], tmp_path / "report").read_text(encoding="utf-8")
    found = saved(source)
    assert found["run-cases.csv"] == ("text/csv", (run / "cases.csv").read_bytes())
    kind, data = found["run-samples.csv.gz"]
    assert kind == "application/gzip"
    assert gzip.decompress(data) == (run / "samples.csv").read_bytes()
    whole = {"run-ratios.csv", "run-environment.json", "run-rounds.csv", "run-gemm.csv"}
    assert whole <= set(found)
    assert {"run-summary.csv", "run-summary.csv.gz"} & set(found)
