from pathlib import Path

import pytest
from fakes import python

import bench

pytestmark = pytest.mark.process

SUITES = Path(bench.__file__).parent.parent / "suites"
MODEL = ("--bench-model", "bert-tiny", "--bench-weights", "random")


def run(*options):
    """`pytest suites` in a process of its own, with reasons of what was skipped."""
    command = ("-m", "pytest", SUITES, "-q", "-rs", "-p", "no:cacheprovider")
    return python(*command, *options, timeout=240)


def test_cases_are_timed_and_counted_under_the_benchmark_fixture(tmp_path):
    """One test per case; its JSON groups the models of a workload."""
    suites = ("--bench-suite", "parameters", "--bench-suite", "latency")
    done = run(*MODEL, *suites, "--benchmark-json", tmp_path / "b.json", "--benchmark-max-time=0.1")
    assert done.returncode == 0, done.stdout
    assert "FAILED" not in done.stdout
    text = (tmp_path / "b.json").read_text(encoding="utf-8")
    assert '"stored_parameters"' in text
    assert '"group": "latency/cpu/float32/sdpa/' in text


def test_a_variant_is_never_timed_as_something_else():
    """What needs its output compared first is skipped by name, and says where it is measured."""
    done = run(*MODEL, "--bench-suite", "variants", "--benchmark-disable")
    assert done.returncode == 0, done.stdout
    assert "bench run variants compares its output first" in done.stdout
    assert "flash attention runs on CUDA only" in done.stdout
    passed = int(done.stdout.rsplit(" passed", 1)[0].split()[-1])
    assert 2 <= passed <= 4  # eager, sdpa and what this CPU computes in 16 bits


def test_a_wrong_option_is_one_line():
    """As for the command, without a traceback."""
    done = run("--bench-suite", "latancy")
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "no suite 'latancy'" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
