"""The cases of all suites under pytest-benchmark's `benchmark` fixture: `pytest suites`.

In one process and one after the other, so for a quick look or a smoke test; `bench run` is what to
publish and to gate on. All of pytest-benchmark's own flags hold.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.core.case import Case
    from bench.runner.prepare import Prepared

FIXTURE = "bench_case"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose cases; they mean what they mean for `bench run`."""
    group = parser.getgroup("bench", "BERT and ALBERT suites")
    group.addoption("--bench-profile", default="quick", help="quick or full")
    group.addoption("--bench-suite", action="append", default=[], help="a suite; repeatable")
    group.addoption("--bench-model", action="append", default=[], help="a model; repeatable")
    group.addoption("--bench-weights", default="auto", help="auto, pretrained or random")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per case, with the models of a workload side by side."""
    from bench.core.measures.forward import FORWARD
    from bench.core.measures.memory import MEMORY
    from bench.core.measures.static import STATIC

    if FIXTURE not in metafunc.fixturenames:
        return
    prepared = _prepared(metafunc.config)
    # A cold start needs a process of its own, and a text its own inputs: `bench run` has both.
    in_process = (STATIC, MEMORY, FORWARD)
    here = [c for c in prepared.cases if c.measure in in_process]
    cases = sorted(here, key=lambda c: (c.measure.name, c.group))
    metafunc.parametrize(FIXTURE, cases, ids=[c.id for c in cases], indirect=True)


PREPARED = pytest.StashKey[Any]()
MODULES = pytest.StashKey[dict[Any, Any]]()


def _prepared(config: pytest.Config) -> Prepared:
    """Models, checkpoints and cases of this session, prepared once."""
    from bench.core.architecture import Weights
    from bench.core.errors import BenchError
    from bench.machine.fingerprint import default_threads
    from bench.plan.options import Options
    from bench.runner.prepare import prepare

    if PREPARED not in config.stash:
        try:
            options = Options(
                suites=tuple(config.getoption("--bench-suite")),
                profile=config.getoption("--bench-profile"),
                models=tuple(config.getoption("--bench-model")),
                threads=default_threads(),
                weights=Weights(config.getoption("--bench-weights")),
            )
            config.stash[PREPARED] = prepare(options)
        except (BenchError, ValueError) as error:
            # The one error that pytest shows here without a traceback.
            raise pytest.Collector.CollectError(f"bench: {error}") from None
    prepared: Prepared = config.stash[PREPARED]
    return prepared


@pytest.fixture
def bench_case(request: pytest.FixtureRequest) -> Callable[[Any], None]:
    """Runs its case under the `benchmark` fixture that it is given."""
    from bench.core.measures.forward import FORWARD
    from bench.core.measures.memory import MEMORY
    from bench.core.measures.static import STATIC

    case: Case = request.param
    measures = {STATIC: _static, MEMORY: _memory, FORWARD: _forward}

    def run(benchmark: Any) -> None:
        benchmark.group = case.group
        module = _module(request.config, case)
        prepared = _prepared(request.config)
        benchmark.extra_info["weights"] = prepared.sources[case.model].weights.value
        measures[case.measure](benchmark, module, case)

    return run


def _module(config: pytest.Config, case: Case) -> Any:
    """The case's model, loaded once per session; a case that cannot run here is skipped."""
    import torch

    from bench.core.architecture import Weights
    from bench.core.errors import UnsupportedError
    from bench.worker.loading import load
    from bench.worker.variants import require

    if not case.variant.is_plain:
        pytest.skip(f"{case.variant}: bench run {case.suite} compares its output first, and has it")
    try:
        require(case.variant, case.device)
    except UnsupportedError as error:
        pytest.skip(str(error))
    torch.set_num_threads(case.threads)
    modules = config.stash.setdefault(MODULES, {})
    key = (case.model, case.variant, case.device)
    if key not in modules:
        prepared = _prepared(config)
        model = next(m for m in prepared.models if m.name == case.model)
        source = prepared.sources[case.model]
        modules[key] = load(
            model,
            case.variant,
            Path(source.directory) if source.directory else None,
            case.device,
            random=source.weights is Weights.RANDOM,
        )
    return modules[key]


def _forward(benchmark: Any, module: Any, case: Case) -> None:
    """Warm up, then let pytest-benchmark choose its rounds from warm calls."""
    import random

    import torch

    from bench.worker.device import device_clock
    from bench.worker.loading import bind
    from bench.worker.sampler import Limits, Sampler

    clock = device_clock(case.device)
    with torch.inference_mode():
        forward = bind(module, case.workload, case.device, seed=0)
        if benchmark.enabled:
            Sampler(clock, random.Random(0), Limits(0.0, 0.0)).warm_up(case.id, forward)  # noqa: S311 - not drawn from

        def timed() -> None:
            forward()
            clock.synchronize()

        benchmark(timed)


def _static(benchmark: Any, module: Any, case: Case) -> None:
    """Count once; what was counted stands in the JSON's `extra_info`."""
    from bench.worker.measures.static import count

    counted = benchmark.pedantic(lambda: count(module, case, seed=0), rounds=1)
    benchmark.extra_info.update(counted)


def _memory(benchmark: Any, module: Any, case: Case) -> None:
    """Count activation bytes once (RSS needs a process of its own: `bench run memory`)."""
    import torch

    from bench.worker.loading import bind
    from bench.worker.measures.memory import peak_allocated_bytes

    with torch.inference_mode():
        forward = bind(module, case.workload, case.device, seed=0)
        peak = benchmark.pedantic(lambda: peak_allocated_bytes(forward), rounds=1)
    benchmark.extra_info["peak_activation_bytes"] = peak
