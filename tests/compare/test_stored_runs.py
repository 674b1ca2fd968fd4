"""A stored run as a comparison reads it."""

from __future__ import annotations

import pytest
from compare_fakes import STEADY, finished_run
from fakes import RANDOM, case

from bench.compare import stored_runs
from bench.compare.stored_runs import read
from bench.plan.jobs import identity
from bench.results import store as records
from bench.stats.summary import summarise


def test_a_stored_summary_counts_only_where_the_samples_were_not_kept(tmp_path):
    """What raw tables hold is newer, and is evaluated by one rule whatever bench wrote them."""
    one = case()
    finished_run(tmp_path / "run", [one], {one.id: STEADY})
    run = records.read_run(tmp_path / "run")
    writer = records.open_run(tmp_path / "run", resume=True)
    writer.write_table("summary", summarise(run).assign(value=99.0))

    def latency(state):
        facts = {**run.environment["run"], "state": state}
        writer.write_environment({**run.environment, "run": facts})
        figures = read(tmp_path / "run").figures
        return figures and next(iter(figures.values()))["latency"].value

    for state in ("complete", "running", "interrupted"):
        assert latency(state) == pytest.approx(0.1, rel=1e-3)
    (tmp_path / "run" / "samples.csv").unlink()
    assert latency("complete") == 99.0
    assert latency("interrupted") == {}
    writer.close()


def test_cases_that_differ_in_an_axis_of_a_later_version_are_not_taken_for_one():
    """Its column is not known here, but its words stand in the ids, and must match as well."""
    one = case("bert", seq_len=8)
    row = {**identity(one, {"bert": RANDOM}), "case": one.id}
    sparse = {**row, "case": one.id.replace("/t1/", "/half-sparse/t1/")}
    assert stored_runs._key(sparse) == (*stored_runs._key(row), "half-sparse")
