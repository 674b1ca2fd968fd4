"""Baselines: what is kept of a run, and what is never replaced."""

from __future__ import annotations

import pytest
from compare_fakes import STEADY
from fakes import case, write_run

from bench.compare import baselines as baseline
from bench.compare.stored_runs import read
from bench.core.errors import UsageError
from bench.results import store as records
from bench.results.atomic import write_json


def test_a_baseline_keeps_the_small_files(tmp_path, monkeypatch):
    """Samples too large to commit stay behind; the comparison lives on what was kept."""
    one = case()
    run = write_run(tmp_path / "run", [one], {one.id: STEADY})
    from bench.runner.finalize import conclude

    writer = records.open_run(tmp_path / "run", resume=True)
    environment = {**run.environment, "run": {**run.environment["run"], "profile": "quick"}}
    conclude(writer, environment, "complete")
    writer.close()
    monkeypatch.setattr(baseline, "SAMPLES_LIMIT", 10)
    directory, left_out = baseline.keep(tmp_path / "run", "main", tmp_path / "baselines")
    assert left_out[0].startswith("samples.csv")
    assert not (directory / "samples.csv").exists()
    again = read(baseline.find("main", tmp_path / "baselines"))
    whole = read(tmp_path / "run")
    for key, figures in whole.figures.items():
        for name, value in figures.items():
            assert again.figures[key][name].value == pytest.approx(value.value, rel=1e-6)
    assert (again.run, again.fingerprint, again.ended) == (
        whole.run,
        whole.fingerprint,
        whole.ended,
    )


def test_an_unfinished_run_is_no_baseline(tmp_path):
    """Half a run would hide what it did not measure."""
    run = write_run(tmp_path / "run", [case()])
    run.environment["run"]["state"] = "interrupted"
    write_json(run.directory / records.ENVIRONMENT, run.environment)
    with pytest.raises(UsageError, match="interrupted"):
        baseline.keep(run.directory, "main", tmp_path)


@pytest.mark.parametrize("held", ["README.md", "rounds.csv", "inner"])
def test_what_is_no_baseline_is_not_replaced(tmp_path, held):
    """A study, a whole run, or a directory that holds the very run would be gone."""
    run, kept = tmp_path / "baselines" / "main" / "inner", tmp_path / "baselines"
    if held != run.name:
        run = tmp_path / "run"
        (kept / "main" / held).mkdir(parents=True)
    write_run(run, [case()])
    with pytest.raises(UsageError, match=f"holds {held}, so it is not a baseline"):
        baseline.keep(run, "main", kept)
    assert (kept / "main" / held).exists()
    assert records.read_run(run)


def test_a_baseline_of_the_name_of_a_file_is_refused(tmp_path):
    """Nor is a link followed, whether it leads anywhere or not."""
    run = write_run(tmp_path / "run", [case()]).directory
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="not a directory"):
            baseline.keep(run, name, tmp_path)


def test_a_baseline_is_replaced_as_a_whole(tmp_path):
    """Nothing of the former one stays, and nothing of a copy that failed."""
    one, two = case(), case(seq_len=32)
    run = write_run(tmp_path / "first", [one], {one.id: STEADY}).directory
    baseline.keep(run, "main", tmp_path / "baselines")
    run = write_run(tmp_path / "second", [two]).directory
    (run / "summary.csv").mkdir()
    with pytest.raises(OSError, match="summary"):
        baseline.keep(run, "main", tmp_path / "baselines")
    kept = tmp_path / "baselines" / "main"
    assert list(records.read_run(kept).cases["case"]) == [one.id]
    (run / "summary.csv").rmdir()
    baseline.keep(run, "main", tmp_path / "baselines")
    assert list(records.read_run(kept).cases["case"]) == [two.id]
    assert not (kept / "samples.csv").exists()
    assert [p.name for p in (tmp_path / "baselines").iterdir()] == ["main"]


def test_an_unknown_baseline_names_those_there_are(tmp_path):
    """The error lists what could have been meant."""
    (tmp_path / "release").mkdir()
    with pytest.raises(UsageError, match="release"):
        baseline.find("relaese", tmp_path)
