"""A stored run as a comparison reads it."""

from __future__ import annotations

import pytest
from compare_fakes import STEADY, finished_run
from fakes import case

from bench.compare.stored_runs import read
from bench.results import store as records
from bench.stats.summary import summarise


def test_a_summary_from_before_an_unfinished_resume_is_not_believed(tmp_path):
    """The samples are newer than it is: what is compared is summed up from them."""
    one = case()
    finished_run(tmp_path / "run", [one], {one.id: STEADY})
    writer = records.open_run(tmp_path / "run", resume=True)
    run = records.read_run(tmp_path / "run")
    summary = summarise(run)
    writer.write_table("summary", summary.assign(value=99.0))
    for state, wanted in (("complete", 99.0), ("running", 0.1), ("interrupted", 0.1)):
        writer.write_environment(
            {**run.environment, "run": {**run.environment["run"], "state": state}}
        )
        (found,) = read(tmp_path / "run").figures.values()
        assert found["latency"].value == pytest.approx(wanted, rel=1e-3)
    writer.close()
