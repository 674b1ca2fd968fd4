"""Where a run was measured, and what its pretrained weights fill in."""

from __future__ import annotations

import json

from pages import SMALL, Page
from synthetic import BERT, write_run

from bench.report import write_report


def test_pretrained_weights_are_shown_at_work(tmp_path):
    """Words that each model fills in stand on the page as text, with their probabilities."""
    folder = write_run(tmp_path / "run", SMALL)
    path = folder / "environment.json"
    environment = json.loads(path.read_text(encoding="utf-8"))
    predictions = [{"token": " <b>paris", "score": 0.84}, {"token": "lyon", "score": 0.02}]
    environment["sanity"] = {BERT.name: [{"text": "It is [MASK].", "predictions": predictions}]}
    path.write_text(json.dumps(environment), encoding="utf-8")
    found = Page(write_report([folder], tmp_path / "report").read_text(encoding="utf-8"))
    assert "Pretrained weights: fill-mask" in found.text
    assert "It is [MASK]." in found.text
    assert "<b>paris (84%), lyon (2%)" in found.text
