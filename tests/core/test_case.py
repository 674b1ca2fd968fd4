import dataclasses

import pytest
from fakes import TINY, case
from hypothesis import given
from hypothesis import strategies as st

from bench.core.architecture import Model
from bench.core.axes import REFERENCE, Dtype
from bench.core.case import group_of
from bench.core.errors import UsageError
from bench.core.measures.static import STATIC
from bench.core.suite import PROFILES, Grid, Sampling, Suite


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        ({"processes": 0}, "--processes is 0"),
        ({"precision": 0.0}, "--precision is 0"),
        ({"precision": 2.0}, "--precision is 2"),
        ({"precision": float("nan")}, "--precision is nan"),
        ({"budget_s": 0.0}, "--budget is 0"),
        ({"budget_s": -1.0}, "--budget is -1"),
        ({"budget_s": float("nan")}, "--budget is nan"),
        ({"budget_s": float("inf")}, "--budget is inf"),
    ],
)
def test_sampling_refuses_what_cannot_be_done(wrong, option):
    """The message names the option and its value."""
    with pytest.raises(UsageError, match=option):
        Sampling(**wrong)


@given(st.sets(st.integers(1, 64), min_size=1), st.sets(st.integers(1, 512), min_size=1))
def test_a_grid_has_every_combination_once_small_ones_first(batches, lengths):
    """Doubled sizes are one size, and the cheap workloads come first."""
    grid = Grid((*batches, *batches), tuple(lengths))
    found = grid.workloads()
    assert len(found) == len(set(found)) == len(batches) * len(lengths)
    assert [w.tokens for w in found] == sorted(w.tokens for w in found)


def test_an_id_tells_every_part_of_a_case_apart():
    """Two cases that differ in anything but the group's question have different ids."""
    base = case()
    others = [
        case("albert"),
        case(suite="throughput"),
        case(batch_size=2),
        case(seq_len=8),
        case(dtype=Dtype.BFLOAT16),
        case(device="cuda"),
        case(threads=2),
        dataclasses.replace(base, variant=REFERENCE),
    ]
    assert len({base.id, *(c.id for c in others)}) == len(others) + 1


def test_a_group_is_a_case_without_its_model():
    """Models are compared within a group, also those with a slash in their name."""
    assert case("owner/name").group == case("other").group == group_of(case("owner/name").id)
    assert case(seq_len=8).group != case(seq_len=9).group


def test_a_suite_without_a_profile_uses_its_first_grid():
    """A suite may have one grid for every profile."""
    grid = Grid((1,), (8,))
    assert Suite("s", "t", STATIC, {"quick": grid}).grid("full") == grid


def test_an_architecture_knows_what_it_shares():
    """ALBERT applies one layer several times and projects its embeddings; BERT does neither."""
    facts = {k: (a.shares_layers, a.projects_embeddings) for k, a in TINY.items()}
    assert facts == {"bert": (False, False), "albert": (True, True)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [("./x", True), ("/x", True), ("~/x", True), ("owner/x", False), ("x", False)],
)
def test_a_path_is_told_from_a_hub_id(source, expected):
    """Only what starts like a path is one."""
    assert Model("x", source).is_directory is expected


def test_profiles_ask_for_intervals():
    """Every profile has enough processes for an interval before precision is judged."""
    for profile in PROFILES.values():
        assert 2 <= profile.sampling.min_processes <= profile.sampling.processes
