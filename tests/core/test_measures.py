import shutil
from pathlib import Path

import pytest
from fakes import bench_environment, python

import bench
import suites
from bench.core import measures
from bench.core.errors import UsageError
from bench.core.measure import Measure, Need, Processes, Start, in_order
from bench.core.measures import WORKER_MODULES, all_measures
from bench.core.measures.cold_start import COLD_START
from bench.core.measures.forward import FORWARD
from bench.core.measures.text import TEXT
from bench.core.plain import from_plain, to_plain
from bench.results.store import read_run

DECLARATION = """
from bench.core.measure import Measure, Need, Processes, Start

WARMTH = Measure("warmth", 25, Processes.FEW, Start.FORKED, needs=(Need.PLAIN_MODULE,))
"""
WORKER = """
def measure(session):
    session.each(lambda session, case: {"peak_rss_bytes": 1e6 * case.workload.seq_len})
"""
SUITE = """
from bench.core.measures.warmth import WARMTH
from bench.core.suite import Grid, Suite

SUITE = Suite("warmth", "How warm a model is", WARMTH, {"quick": Grid((1,), (8,))})
"""


def test_kinds_of_measurement_are_found_in_the_order_they_run():
    """What is counted comes first; timing comes last, since it takes the time that is left."""
    found = all_measures()
    assert [kind.name for kind in found] == [
        "verify",
        "static",
        "cold_start",
        "memory",
        "capacity",
        "forward",
        "text",
    ]
    timed = [kind.timed for kind in found]
    assert timed == sorted(timed)
    assert len({kind.order for kind in found}) == len(found)
    assert in_order([FORWARD, COLD_START, FORWARD]) == [COLD_START, FORWARD]


def test_every_module_that_measures_has_a_declaration():
    """A kind that was declared nowhere could not be asked for."""
    modules = {path.stem for path in WORKER_MODULES.glob("[a-z]*.py")}
    assert modules == {kind.name for kind in all_measures()}


def test_a_kind_of_measurement_goes_to_a_worker_and_back():
    """A job says all of its kind, so that the worker looks nothing up."""
    for kind in all_measures():
        assert from_plain(Measure, to_plain(kind)) == kind


def test_what_a_kind_needs_is_what_it_declares():
    """The plan asks declarations, and no kind by name."""
    assert Need.TEXT in TEXT.needs
    assert COLD_START.start is Start.FRESH
    assert FORWARD.processes is Processes.SAMPLED


def test_a_declaration_without_its_worker_module_is_refused(tmp_path, monkeypatch):
    """The line says which file is missing; it is found before anything is measured."""
    (tmp_path / "warmth.py").write_text(DECLARATION)
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(tmp_path)])
    with pytest.raises(UsageError, match=r"add bench/worker/measures/warmth\.py"):
        all_measures()


def test_a_module_without_its_constant_is_refused(tmp_path, monkeypatch):
    """The line says which constant is missing."""
    (tmp_path / "coldness.py").write_text("")
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(tmp_path)])
    with pytest.raises(UsageError, match="has no COLDNESS"):
        all_measures()


@pytest.fixture
def house(tmp_path):
    """A copy of the packages, to which files can be added."""
    for package in (bench, suites):
        source = Path(package.__file__).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, tmp_path / source.name, ignore=ignored)
    return tmp_path


def run(house, *arguments):
    """The `bench` command of the copy."""
    environment = {**bench_environment(), "PYTHONPATH": str(house)}
    return python("-m", "bench", *arguments, cwd=house, **environment)


@pytest.mark.process
def test_three_files_make_a_kind_of_measurement(house):
    """A declaration, a worker's module and a suite: found in list, plan, CSV, terminal and page."""
    (house / "bench/core/measures/warmth.py").write_text(DECLARATION)
    (house / "bench/worker/measures/warmth.py").write_text(WORKER)
    (house / "suites/warmth.py").write_text(SUITE)
    listed = run(house, "list")
    assert "warmth" in listed.stdout, listed.stderr
    plan = run(house, "list", "warmth", "--threads", "1")
    assert "warmth" in plan.stdout, plan.stderr
    done = run(
        house,
        *("run", "warmth", "--threads", "1", "--processes", "1", "--weights", "random"),
        *("--output", str(house / "a-run")),
    )
    assert done.returncode == 0, done.stderr
    assert "8.00 MB" in done.stdout
    found = read_run(house / "a-run")
    assert list(found.cases["measure"]) == ["warmth"] * 2
    assert list(found.measurements["value"]) == [8e6] * 2
    (page,) = house.glob("reports/*/index.html")
    assert "Cases measured as warmth" in page.read_text(encoding="utf-8")


@pytest.mark.process
def test_a_kind_of_which_a_file_is_missing_stops_every_command(house):
    """One line, and no traceback."""
    (house / "bench/core/measures/warmth.py").write_text(DECLARATION)
    done = run(house, "list")
    assert done.returncode == 2
    assert "bench/worker/measures/warmth.py" in done.stderr
    assert "Traceback" not in done.stderr
