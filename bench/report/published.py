"""Published results of the models (accuracy, for the report), each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PAPER = "ALBERT paper (arXiv 1909.11942v6), Table 2, dev sets"
README = "google-research/albert README, v2 models"
TASKS = ("Average", "SQuAD 1.1 F1", "SQuAD 2.0 F1", "MNLI", "SST-2", "RACE")
"""Percent each; Average is the sources' own, over the five tasks."""


@dataclass(frozen=True)
class Published:
    """Scores of one fine-tuned model as its source printed them, in percent."""

    model: str
    title: str
    source: str
    scores: Mapping[str, float]


def _row(model: str, title: str, source: str, *scores: float) -> Published:
    return Published(model, title, source, dict(zip(TASKS, scores, strict=True)))


# fmt: off
RESULTS = (
    _row("bert-base-uncased",  "BERT base",         PAPER,  82.3, 90.4, 80.4, 84.5, 92.8, 68.2),
    _row("bert-large-uncased", "BERT large",        PAPER,  85.2, 92.2, 85.0, 86.6, 93.0, 73.9),
    _row("albert-base-v1",     "ALBERT base v1",    PAPER,  80.1, 89.3, 80.0, 81.6, 90.3, 64.0),
    _row("albert-large-v1",    "ALBERT large v1",   PAPER,  82.4, 90.6, 82.3, 83.5, 91.7, 68.5),
    _row("albert-xlarge-v1",   "ALBERT xlarge v1",  PAPER,  85.5, 92.5, 86.1, 86.4, 92.4, 74.8),
    _row("albert-xxlarge-v1",  "ALBERT xxlarge v1", PAPER,  88.7, 94.1, 88.1, 88.0, 95.2, 82.3),
    _row("albert-base-v2",     "ALBERT base v2",    README, 82.3, 90.2, 82.1, 84.6, 92.9, 66.8),
)
# fmt: on


def of(model: str) -> Published | None:
    """What was published for a model, by its registry name or the last part of its hub id."""
    name = model.rpartition("/")[2]
    return next((p for p in RESULTS if p.model == name), None)
