"""What the gate times."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.axes import Dtype
from bench.core.errors import UsageError
from bench.gate.cases import Asked, order, timed_cases
from bench.gate.environments import Environment


def test_our_models_and_users_code_are_cases():
    """A factory is one case; our models have one per workload, with facts any side understands."""
    cases = timed_cases(Asked(("mine:make", "albert-base-v2"), (1, 2), (16,)))
    assert [c.id.split("/")[1] for c in cases] == ["mine:make", "albert-base-v2", "albert-base-v2"]
    foreign = Environment("old", Path("python"), (), is_ours=False)
    asked = order(cases, foreign, Asked(), 0, {"check/mine:make": 7})
    assert [c["build"]["kind"] for c in asked["cases"]] == ["factory", "config", "config"]
    assert asked["cases"][0]["extra_units"] == 7
    assert asked["cases"][1]["build"]["arguments"]["embedding_size"] == 128
    ours = Environment("ref", Path("python"), (), is_ours=True)
    assert order(cases, ours, Asked(), 0, {})["cases"][1]["build"]["kind"] == "repository"


def test_too_long_a_sequence_is_one_clear_line():
    """The same limit as for a run."""
    with pytest.raises(UsageError, match="at most 512"):
        timed_cases(Asked(seq_lens=(513,)))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dtype": Dtype.BFLOAT16}, "--dtype has no effect on mine:make"),
        ({"batch_sizes": (8,)}, "--batch-size has no effect on mine:make"),
        ({"seq_lens": (64,)}, "--seq-len has no effect on mine:make"),
    ],
)
def test_options_that_a_function_does_not_hear_of_are_refused(options, told):
    """Its module would be taken for one of that dtype; beside one of our models they mean that."""
    with pytest.raises(UsageError, match=told):
        Asked(("mine:make",), **options)
    assert timed_cases(Asked(("mine:make", "albert-base-v2"), **options))


def test_what_is_asked_twice_is_timed_once():
    """Two cases of one id would be told twice, and count twice in what the gate promises."""
    twice = Asked(("mine:make", "albert-base-v2") * 2, (1, 1), (16, 32, 16))
    once = Asked(("mine:make", "albert-base-v2"), (1,), (16, 32))
    assert [c.id for c in timed_cases(twice)] == [c.id for c in timed_cases(once)]
