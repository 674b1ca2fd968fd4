"""Runs that earlier and later versions of bench wrote."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from bench.core.errors import UsageError
from bench.results import store as records
from bench.results.schema import BATCHED, RAW

RUNS = Path(__file__).parent.parent / "data" / "a393199"
"""A complete and an interrupted run as commit a393199 wrote them."""


@pytest.fixture(params=["complete", "interrupted"])
def stored(request, tmp_path):
    """A copy of a run of a393199."""
    return Path(shutil.copytree(RUNS / request.param, tmp_path / request.param))


def rewrite(path, how):
    """Change a table as a list of rows, each a dict of cells."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [how(row) for row in csv.DictReader(file)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def change_plan(directory, how):
    """Change every planned case in the environment of a run."""
    path = directory / records.ENVIRONMENT
    environment = json.loads(path.read_text(encoding="utf-8"))
    environment["run"]["plan"] = [how(row) for row in environment["run"]["plan"]]
    path.write_text(json.dumps(environment), encoding="utf-8")


def same(one, other):
    """Whether two runs hold the same rows and plan."""
    assert one.environment["run"] == other.environment["run"]
    assert all(getattr(one, table).equals(getattr(other, table)) for table in RAW)
    return True


def test_a_run_of_a393199_is_read_whole(stored):
    """Every row is there, under the names of today."""
    run = records.read_run(stored)
    assert run.damage == ()
    for table in RAW:
        lines = (stored / f"{table}.csv").read_text(encoding="utf-8").splitlines()
        assert len(getattr(run, table)) == len(lines) - 1
    assert all("process" in getattr(run, table) for table in BATCHED)
    assert "invalid" in run.rounds
    assert run.cases["processes"].max() == 3


def test_words_of_earlier_versions_are_read_as_those_of_today(stored):
    """The metric `noise` and the phase `disturbed` have other names now."""
    rewrite(
        stored / "samples.csv",
        lambda row: {**row, "phase": row["phase"].replace("switch", "disturbed")},
    )
    assert set(records.read_run(stored).samples["phase"]) == {"warmup", "sample", "invalid"}
    metrics = set(records.read_table(stored, "summary")["metric"])
    assert "iqr_over_median" in metrics
    assert "noise" not in metrics


def test_a_run_from_before_an_axis_has_its_default(stored):
    """A version that knew no cache and no head wrote neither: every case had the usual ones."""
    before = records.read_run(stored)
    absent = ("cache", "head")

    def without(row):
        return {name: value for name, value in row.items() if name not in absent}

    for table in ("cases", "summary", "ratios"):
        rewrite(stored / f"{table}.csv", without)
    change_plan(stored, without)
    assert same(records.read_run(stored), before)
    assert set(records.read_table(stored, "ratios")["head"]) == {"features"}


def test_what_a_later_version_adds_is_ignored(stored):
    """Unknown columns in every table, and an axis that this version has not."""
    before = records.read_run(stored)
    for path in stored.glob("*.csv"):
        rewrite(path, lambda row: {"shape": 'ragged, "new"', **row, "layout": "=1"})
    change_plan(stored, lambda row: {**row, "layout": "ragged"})
    assert same(records.read_run(stored), before)
    for table in ("summary", "ratios"):
        assert "layout" not in records.read_table(stored, table)


def test_columns_may_stand_in_any_order(stored):
    """A column is found by its name."""
    before = records.read_run(stored)
    for path in stored.glob("*.csv"):
        rewrite(path, lambda row: dict(reversed(row.items())))
    assert same(records.read_run(stored), before)


def test_a_column_that_is_no_axis_must_be_there(stored):
    """Seconds have no default: their file is refused."""
    rewrite(
        stored / "samples.csv",
        lambda row: {name: value for name, value in row.items() if name != "wall_s"},
    )
    with pytest.raises(UsageError, match="no column 'wall_s'"):
        records.read_run(stored)


def test_an_old_and_a_new_name_of_one_column_are_refused(stored):
    """Which of them holds would be a guess."""
    rewrite(stored / "samples.csv", lambda row: {**row, "process": row["repeat"]})
    with pytest.raises(UsageError, match="two columns 'process'"):
        records.read_run(stored)
