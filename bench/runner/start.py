"""The runner of a prepared run, with real worker processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.results import store as records
from bench.runner.server import launcher

if TYPE_CHECKING:
    from bench.runner.display import Display
    from bench.runner.prepare import Prepared
    from bench.runner.runner import Runner


def make_runner(prepared: Prepared, writer: records.RunWriter, display: Display) -> Runner:
    """The runner of what was prepared, with real worker processes."""
    from bench.runner.runner import Runner

    return Runner(
        writer=writer,
        launcher=launcher(),
        display=display,
        sampling=prepared.options.sampling,
        timeout_s=prepared.options.timeout_s,
        seed=prepared.options.seed,
        models=prepared.models,
        sources=prepared.sources,
        checkpoints=prepared.checkpoints,
        cases=prepared.cases,
        text=prepared.options.text,
        memory_limit=prepared.options.memory_limit,
        allocator=prepared.options.allocator,
    )
