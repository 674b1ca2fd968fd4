"""Measures again what the exact gates of a baseline need, and nothing that takes a clock."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from pathlib import Path

from bench.compare.findings import Comparison
from bench.compare.judgement import exact
from bench.compare.stored_runs import read
from bench.core.architecture import Weights
from bench.core.errors import NothingMeasuredError, UsageError
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.plan.options import Options
from bench.plan.registry import all_suites, pick_models
from bench.plan.stored_options import from_stored
from bench.results import store as records
from bench.runner.display import Display
from bench.runner.start import make_runner

COUNTED = (STATIC, MEMORY)
"""The measures whose figures are exact."""


def recount(baseline: Path, results: Path, display: Display) -> Comparison:
    """Re-measure the exact figures of a baseline as a new run in `results`, and compare the two.

    A suite or a model that is not known any more is not an error here: its cases are missing.
    """
    old = read(baseline)
    described = records.read_environment(baseline)["run"]
    known = {s.name: s.measure in COUNTED for s in all_suites().values()}
    gated = {key for key in old.ended if known.get(key[0], True)}
    suites = tuple(name for name in described["suites"] if known.get(name))
    recorded = from_stored(described["options"])
    models = tuple(m for m in recorded.models or described["models"] if _known(m))
    if not suites or not models:
        raise NothingMeasuredError(
            f"nothing of {baseline} can be measured again: it needs a known model and a suite with "
            f"exact figures ({', '.join(name for name, counted in known.items() if counted)})"
        )
    options = dataclasses.replace(
        recorded,
        suites=suites,
        models=models,
        text=None,
        sampling=dataclasses.replace(recorded.sampling, memory_processes=1),
    )
    weights = {row["model"]: Weights(row["weights"]) for row in described["plan"]}
    new = read(_measure(options, weights, results, display))
    findings = list(exact(old, new, gated))
    return Comparison(old.run, new.run, findings, gate=True)


def _known(model: str) -> bool:
    try:
        pick_models([model])
    except UsageError:
        return False
    return True


def _measure(
    options: Options, weights: dict[str, Weights], results: Path, display: Display
) -> Path:
    from bench.core.utc import utc_now
    from bench.runner.finalize import conclude
    from bench.runner.prepare import prepare

    writer = records.open_run(records.new_directory(results, datetime.now(timezone.utc)))
    try:
        prepared = prepare(options, weights)
        environment = prepared.describe(writer.directory.name, utc_now())
        writer.write_environment(environment)
        display.start(prepared.cases, options.sampling)
        try:
            make_runner(prepared, writer, display).measure()
        finally:
            display.stop()
        conclude(writer, environment, "complete")
    finally:
        writer.close()
    return writer.directory
