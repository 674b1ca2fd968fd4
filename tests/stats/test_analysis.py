from fakes import pair, write_run

from bench.report.view import View
from bench.results import store as records
from bench.runner.finalize import conclude
from bench.stats.analysis import Analysis

ONE, OTHER = (c.id for c in pair())
WALLS = {ONE: [[1.0], [1.1], [1.0]], OTHER: [[2.0], [2.1], [2.0]]}


def test_what_is_computed_of_a_run_is_computed_once(tmp_path):
    """Asked again, by the page too, an analysis gives what it has."""
    analysis = Analysis(write_run(tmp_path / "run", pair(), WALLS))
    summary, ratios = analysis.summary, analysis.ratios
    assert analysis.summary is summary
    view = View(analysis)
    assert view.summary is summary
    assert view.ratios is ratios
    assert analysis.sanity is analysis.sanity


def test_the_end_of_a_run_hands_on_what_it_wrote(tmp_path):
    """Tables, warnings and state of the outcome are those on disk."""
    run = write_run(tmp_path / "run", pair(), WALLS)
    writer = records.open_run(run.directory, resume=True)
    outcome = conclude(writer, dict(run.environment), "complete")
    writer.close()
    assert outcome.environment["run"]["state"] == "complete"
    stored = records.read_run(run.directory)
    assert stored.environment["run"]["state"] == "complete"
    assert stored.environment["warnings"] == outcome.environment["warnings"]
    assert len(records.read_table(run.directory, "summary")) == len(outcome.summary)
    assert len(records.read_table(run.directory, "ratios")) == len(outcome.ratios)
    assert Analysis(stored).summary.equals(outcome.summary)
