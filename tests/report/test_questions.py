"""Answers follow from a run's numbers, and from its intervals."""

from __future__ import annotations

import pytest
from fakes import case, write_run
from variant_runs import variant

from bench.core.axes import Backend, Variant
from bench.core.measures.static import STATIC
from bench.report.questions import answers
from bench.report.view import View


def speed_answer(tmp_path, models, seconds=(1.0, 1.0), encoders=((9e5, 9e5), (9e5, 9e5))):
    """The answer on the speed of the second of two models, which stores half as much.

    `encoders` is what each stores and applies in its encoder.
    """
    counted = [case(m, suite="parameters", measure=STATIC) for m in models]
    timed = dict(zip(map(case, models), seconds, strict=True))
    measured = {
        one.id: {
            "stored_parameters": [stored],
            "stored_parameters.encoder": [encoder[0]],
            "applied_parameters.encoder": [encoder[1]],
            "operators": [operators],
            "flops": [1e9],
        }
        for one, stored, encoder, operators in zip(
            counted, (2e6, 1e6), encoders, (100, 110), strict=True
        )
    }
    walls = {one.id: [[s] * 4, [s * 1.001] * 4, [s] * 4] for one, s in timed.items()}
    seen = View.of(write_run(tmp_path / "run", [*counted, *timed], walls, measured).directory)
    return next((a for a in answers(seen) if "faster, with" in a.question), None)


@pytest.mark.parametrize(
    ("own", "reference", "start"),
    [
        ((1e5, 12e5), (12e5, 12e5), "Because sharing saves storage, not arithmetic. y stores one"),
        ((12e5, 12e5), (12e5, 12e5), "Both encoders apply 1.20 M parameters"),
        ((1e5, 12e5), (1e5, 12e5), "Both encoders apply 1.20 M parameters"),
    ],
)
def test_layers_are_called_shared_where_they_are(tmp_path, own, reference, start):
    """Encoders of equal size alone do not make one of them share its layers."""
    found = speed_answer(tmp_path, ("x", "y"), encoders=(reference, own))
    assert found.paragraphs[0].replace("\u00a0", " ").startswith(start)


@pytest.mark.parametrize(
    ("reference", "model", "said"),
    [
        ("bert-base-uncased", "albert-base-v2", True),
        ("bert-base-uncased", "albert-base-v2-fused", False),
        ("roberta-base", "albert-base-v2", False),
        ("bert-base-uncased", "bert-tiny", False),
    ],
)
def test_a_chain_of_operators_is_told_of_the_model_that_has_one(tmp_path, reference, model, said):
    """Not of its fused twin, nor against a model whose gelu is not known to be one."""
    found = speed_answer(tmp_path, (reference, model))
    assert any("gelu_new is a chain" in text for text in found.paragraphs) is said


@pytest.mark.parametrize(("seconds", "asked"), [(0.4, False), (0.6, True), (1.1, True)])
def test_nobody_asks_why_a_model_is_not_as_fast_as_it_is(tmp_path, seconds, asked):
    """Half the parameters in less than half the time leave nothing to wonder at."""
    found = speed_answer(tmp_path, ("x", "y"), seconds=(1.0, seconds))
    assert (found is not None) is asked


def implementation(tmp_path, usual, fused, noise=1.001):
    """The answer on architecture and implementation of a model and its fused twin.

    In one of three processes both take `noise` times as long.
    """
    seconds = {case("bert"): 1.0, case("albert"): usual, case("albert-fused"): fused}
    walls = {
        one.id: [[s] * 4, [s * (1 if one.model == "bert" else noise)] * 4, [s] * 4]
        for one, s in seconds.items()
    }
    write_run(tmp_path / "run", list(seconds), walls)
    found = {a.question: a for a in answers(View.of(tmp_path / "run"))}
    return next(a.paragraphs[0] for q, a in found.items() if "implementation" in q)


def test_what_fusing_takes_away_is_implementation(tmp_path):
    """Of 20 % extra time it leaves 5: three quarters were implementation."""
    said = implementation(tmp_path, 1.2, 1.05)
    assert "takes 1.20" in said
    assert "about 75 % of its extra time is implementation; the rest is architecture" in said


def test_an_extra_time_that_fusing_leaves_is_architecture(tmp_path):
    """The fused twin is no faster."""
    assert "fusing takes none of it away" in implementation(tmp_path, 1.2, 1.25)


def test_an_extra_time_that_fusing_ends_is_implementation(tmp_path):
    """The twin is as fast as the reference or faster."""
    said = implementation(tmp_path, 1.2, 0.97)
    assert "So its extra time is implementation: with the fused" in said


def test_without_an_extra_time_there_is_nothing_to_share_out(tmp_path):
    """The model is faster as it is."""
    assert "no extra time" in implementation(tmp_path, 0.9, 0.85)


@pytest.mark.parametrize(("usual", "fused"), [(1.2, 1.05), (1.2, 0.97), (0.9, 0.85)])
def test_of_wide_intervals_nothing_is_concluded(tmp_path, usual, fused):
    """A wide interval is no sign that there is no difference."""
    assert "the intervals are too wide" in implementation(tmp_path, usual, fused, noise=3.0)


def test_intervals_that_overlap_do_not_tell_how_much_fusing_takes(tmp_path):
    """Both are slower beyond doubt, and the one might be the other."""
    assert "intervals overlap" in implementation(tmp_path, 1.30, 1.29, noise=1.01)


@pytest.mark.parametrize(("size", "written"), [(4e6, "once."), (40e6, "once per application.")])
def test_the_size_of_an_export_is_said_where_it_was_measured(tmp_path, size, written):
    """And how often it holds the shared layer; otherwise it is said to be arithmetic."""
    counted = [case(m, suite="parameters", measure=STATIC) for m in ("bert", "albert")]
    exported = [variant(Variant(backend=Backend("onnxruntime")), m) for m in ("bert", "albert")]
    measured = {
        one.id: {"stored_parameters": [n], "applied_parameters": [1e7]}
        for one, n in zip(counted, (1e7, 1e6), strict=True)
    }
    without = View.of(write_run(tmp_path / "a", counted, None, measured).directory)
    (said,) = (a for a in answers(without) if "exported" in a.question)
    assert "no export was measured" in said.paragraphs[0]
    measured |= {
        one.id: {"artifact_bytes": [n]} for one, n in zip(exported, (41e6, size), strict=True)
    }
    seen = View.of(write_run(tmp_path / "b", [*counted, *exported], None, measured).directory)
    (said,) = (a for a in answers(seen) if "exported" in a.question)
    text = said.paragraphs[0].replace("\u00a0", " ")
    assert "no export was measured" not in text
    assert "onnxruntime takes 4" in text
    assert "(bert’s 41.0 MB)" in text
    assert text.endswith(f"holds the shared layer {written}")
