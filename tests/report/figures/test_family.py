"""The figure of families of models."""

from __future__ import annotations

import pytest
from fakes import case
from variant_runs import drawn, view

from bench.report.figures import family

STORED = {"bert": 100.0, "albert": 10.0, "bert-tiny": 20.0}


def test_the_figure_of_a_family_needs_three_models(tmp_path):
    """Latency against what is stored; sizes of a family belong together by name."""
    seconds = {case("bert"): 1.0, case("albert"): 1.1}
    measured = {one.id: {"stored_parameters": [1e6 * STORED[one.model]] * 2} for one in seconds}
    assert drawn(family.draw, view(tmp_path / "two", seconds, measured)) is None
    tiny = case("bert-tiny")
    measured[tiny.id] = {"stored_parameters": [20e6] * 2}
    found = drawn(family.draw, view(tmp_path / "three", {**seconds, tiny: 0.1}, measured))
    assert found.title == (
        "albert stores 10.0× fewer parameters than bert, and a forward of it takes 1.10× as long"
    )


@pytest.mark.parametrize(
    ("model", "kin"),
    [
        ("bert-tiny", "bert"),
        ("bert-large-uncased", "bert"),
        ("albert-xxlarge-v2", "albert"),
        ("distilbert-base-uncased", "distilbert"),
        ("owner/roberta-base", "roberta"),
        ("my-encoder", "my-encoder"),
    ],
)
def test_a_family_is_a_name_up_to_its_size(model, kin):
    """Xlarge is not large."""
    assert family.family_of(model) == kin


def test_names_of_points_that_lie_together_do_not_cover_each_other(tmp_path):
    """Each is written where there is room."""
    seconds = {case(name): 1.0 for name in ("bert", "albert", "roberta", "electra")}
    measured = {one.id: {"stored_parameters": [1e8]} for one in seconds}
    found = drawn(family.draw, view(tmp_path, seconds, measured))
    boxes = [text.get_window_extent() for text in found.figure.axes[0].texts]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
