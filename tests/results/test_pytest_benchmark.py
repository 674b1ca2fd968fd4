import json
import subprocess
import sys

import pytest
from fakes import case, pair, write_run

from bench.results.pytest_benchmark import to_pytest_benchmark

ONE, OTHER = (c.id for c in pair())


@pytest.fixture
def document(tmp_path):
    """The document of a run of two models, one of them sampled once only."""
    run = write_run(tmp_path / "run", pair(), {ONE: [[0.1, 0.2], [0.3]], OTHER: [[0.5]]})
    return to_pytest_benchmark(run)


def test_every_timed_case_is_a_benchmark(document):
    """Names are case ids; models of one workload are one group; warm-up does not count."""
    found = {b["name"]: b for b in document["benchmarks"]}
    assert set(found) == {ONE, OTHER}
    assert {b["group"] for b in found.values()} == {case().group}
    stats = found[ONE]["stats"]
    assert (stats["rounds"], stats["min"], stats["max"]) == (3, 0.1, 0.3)
    assert stats["median"] == pytest.approx(0.2)
    assert found[OTHER]["params"]["model"] == "albert"


def test_the_document_is_json(document):
    """No value of pandas or numpy is left in it."""
    assert json.loads(json.dumps(document)) == document


@pytest.mark.process
def test_pytest_benchmark_compares_it(document, tmp_path):
    """Its own command reads the file and prints both models."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document))
    code = "from pytest_benchmark.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", str(path), "--group-by=group"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in (ONE, OTHER):
        assert name in done.stdout
