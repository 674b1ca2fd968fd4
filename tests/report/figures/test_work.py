"""The figure of what is stored and computed."""

from __future__ import annotations

import pytest
from fakes import case, write_run
from variant_runs import drawn

from bench.core.measures.static import STATIC
from bench.report.figures import work
from bench.report.view import View


@pytest.mark.parametrize(
    ("timed", "told"),
    [(False, "All are counted exactly."), (True, "Times have whiskers, their 95 % intervals")],
)
def test_whiskers_are_told_of_where_there_are_times(tmp_path, timed, told):
    """What is counted has none."""
    counted = [case(m, suite="parameters", measure=STATIC) for m in ("bert", "albert")]
    cases = [*counted, *([case("bert"), case("albert")] if timed else [])]
    walls = {one.id: [[1.0] * 4] * 2 for one in cases if one not in counted}
    measured = {one.id: {"stored_parameters": [1e6], "operators": [100.0]} for one in counted}
    run = write_run(tmp_path / "run", cases, walls, measured)
    assert told in drawn(work.draw, View.of(run.directory)).notes[0]
