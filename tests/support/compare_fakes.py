"""Pairs of small stored runs, and what a comparison finds between them."""

from __future__ import annotations

from fakes import case, write_run

from bench.compare.judgement import compare
from bench.compare.stored_runs import read
from bench.compare.thresholds import Thresholds
from bench.core.measures.static import STATIC
from bench.results import store as records

STEADY = [[0.100] * 4, [0.101] * 4, [0.099] * 4]


def counts(value, **more):
    """Exact figures of one process."""
    return {"stored_parameters": [value], **{k: [v] for k, v in more.items()}}


def finished_run(directory, cases, walls=None, **facts):
    """A run whose cases say how many processes gave data."""
    run = write_run(directory, cases, walls, **facts)
    writer = records.open_run(directory, resume=True)
    processes = run.cases["case"].map({name: len(r) for name, r in (walls or {}).items()})
    writer.write_table("cases", run.cases.assign(processes=processes.fillna(1).astype(int)))
    writer.close()


def compared(tmp_path, old, new, threshold=0.05):
    """Findings of two runs, given as arguments of `write_run`, by case and metric."""
    for name, (cases, facts) in {"old": old, "new": new}.items():
        finished_run(tmp_path / name, cases, **facts)
    sides = [read(tmp_path / name) for name in ("old", "new")]
    comparison = compare(*sides, Thresholds(threshold))
    return {(f.case, f.metric): f for f in comparison.findings}, comparison


def static(model="bert", **facts):
    """A counted case."""
    return case(model, suite="parameters", measure=STATIC, **facts)
