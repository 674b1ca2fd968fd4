"""Runs that earlier and later versions of bench wrote."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from bench.compare import stored_runs
from bench.compare.findings import Verdict
from bench.compare.history import courses
from bench.compare.judgement import compare
from bench.compare.thresholds import Thresholds
from bench.core.case import Status
from bench.core.errors import UsageError
from bench.report import write_report
from bench.results import store as records
from bench.results.schema import BATCHED, RAW
from bench.runner.resume import carry_over, whole_processes
from bench.stats.analysis import Analysis

RUNS = Path(__file__).parent.parent / "data" / "a393199"
"""A complete and an interrupted run as commit a393199 wrote them."""
BASELINES = Path(__file__).parent.parent.parent / "results" / "baselines"


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


def test_an_interrupted_run_of_a393199_can_be_taken_up(stored):
    """What is whole is carried over under the names of today, and nothing else is needed."""
    run = whole_processes(records.read_run(stored))
    writer = records.open_run(stored, resume=True)
    done, processes = carry_over(run, writer)
    writer.close()
    again = records.read_run(stored)
    assert again.damage == ()
    assert set(again.cases["case"]) == set(done)
    assert again.samples.equals(run.samples.reset_index(drop=True))
    assert "process" in (stored / "samples.csv").read_text(encoding="utf-8").splitlines()[0]
    for case, status in done.items():
        wanted = again.cases.set_index("case").loc[case, "processes"]
        assert status is not Status.OK or len(processes[case]) >= wanted


def test_a_run_of_a393199_is_evaluated_by_todays_rules(stored):
    """Values lie within their bounds, rows say how many processes they are of, nothing is odd."""
    analysis = Analysis.read(stored)
    assert len(analysis.summary)
    assert (analysis.summary["processes"] >= 1).all()
    for table, value in ((analysis.summary, "value"), (analysis.ratios, "ratio")):
        known = table.dropna(subset=["low", "high"])
        assert len(known)
        assert (known["low"] <= known[value] * (1 + 1e-9)).all()
        assert (known[value] <= known["high"] * (1 + 1e-9)).all()
    assert not [text for text in analysis.sanity if "fault of this tool" in text]


def test_runs_of_a393199_are_compared(stored):
    """Against itself, a run has changed in nothing."""
    figures = stored_runs.read(stored)
    found = compare(figures, figures, Thresholds(0.05)).findings
    assert found
    assert not {f.verdict for f in found} & {Verdict.CHANGED, Verdict.MISSING, Verdict.SLOWER}


def test_runs_of_a393199_stand_in_a_history():
    """Their exact figures have a course."""
    found, _ = courses([RUNS / "complete", RUNS / "interrupted"], "stored_parameters")
    both = [course for course in found if len(course.values) == 2]
    assert {course.values[0] / course.values[1] for course in both} == {1.0}


def test_a_run_of_a393199_has_a_page(stored, tmp_path):
    """With its numbers and, for the interrupted one, what is missing."""
    page = write_report([stored], tmp_path / "page").read_text(encoding="utf-8")
    assert "albert-base-v2" in page
    assert (tmp_path / "page" / "figures").is_dir()


@pytest.mark.parametrize("name", ["variants"])
def test_baselines_of_the_repository_are_read(name):
    """A baseline is a run of its time, kept without its bulk."""
    figures = stored_runs.read(BASELINES / name)
    assert figures.figures
    assert figures.ratios
