import pytest
from fakes import case, pair, write_run

from bench.runner.stopping import precise_groups_of

ONE, OTHER = (c.id for c in pair())


def of(table, metric, model=None):
    """The only row of a metric (of a model)."""
    rows = table[
        (table["metric"] == metric) & (table["model"] == (model or table["model"].iloc[0]))
    ]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.parametrize(("spread", "ready"), [(0.002, True), (0.05, False)])
def test_a_group_is_precise_when_its_ratio_is(tmp_path, spread, ready):
    """Latency may wander as it likes, as long as both models do it together."""
    drift = [1.0, 1.5, 0.7, 1.2]
    walls = {
        ONE: [[s] for s in drift],
        OTHER: [[s * (1 + e)] for s, e in zip(drift, (0, spread, -spread, 0), strict=True)],
    }
    run = write_run(tmp_path / "run", pair(), walls)
    assert precise_groups_of(run, 0.02) == ({case().group} if ready else set())


@pytest.mark.parametrize(("spread", "ready"), [(0.002, True), (0.05, False)])
def test_a_lone_model_is_precise_when_its_latency_is(tmp_path, spread, ready):
    """Without a partner, the latency itself has to be known."""
    run = write_run(tmp_path / "run", [case()], {ONE: [[1.0], [1 + spread], [1 - spread]]})
    assert precise_groups_of(run, 0.02) == ({case().group} if ready else set())


def test_one_process_is_never_precise(tmp_path):
    """However steady its rounds, one process has its own luck."""
    run = write_run(tmp_path / "run", pair(), {ONE: [[1.0] * 20], OTHER: [[2.0] * 20]})
    assert precise_groups_of(run, 0.02) == set()


def test_one_imprecise_ratio_keeps_its_group_open(tmp_path):
    """With three models the widest ratio decides."""
    cases = [case(m) for m in ("bert", "albert", "other")]
    walls = {c.id: [[1.0], [1.0], [1.0]] for c in cases}
    walls[cases[2].id] = [[1.0], [1.5], [0.7]]
    assert precise_groups_of(write_run(tmp_path / "run", cases, walls), 0.02) == set()
