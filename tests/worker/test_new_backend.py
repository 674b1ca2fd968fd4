"""One file in the folder of backends is all it takes: the backend is wherever one must be."""

import csv
import importlib.metadata
import json
import shutil
from pathlib import Path

import pytest
from fakes import python, tiny_directory

import bench.worker.backends
from bench.core.axes import Backend
from bench.core.errors import BenchError
from bench.worker.declaration import declaration

pytestmark = pytest.mark.process

ROOT = Path(bench.worker.backends.__file__).parents[3]
TOY = '''
"""Runs a module as it is."""

from bench.core.axes import Attention, Compile, Dtype
from bench.worker.backends.torch import TorchEngine
from bench.worker.declaration import Declaration, Needs

BACKEND = Declaration(
    needs=(Needs(("filelock",), "pip install filelock"),),
    devices=("cpu",),
    dtypes=(Dtype.FLOAT32,),
    attentions=(Attention.SDPA,),
    compiles=(Compile.NONE,),
    own_threads=False,
    build=lambda recipe: TorchEngine(recipe.module),
)
'''


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The command in a copy of the package with one backend more; its output, which is right."""
    root = tmp_path_factory.mktemp("copy")
    for package in ("bench", "suites"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, root / package, ignore=ignored)
    (root / "bench" / "worker" / "backends" / "toy.py").write_text(TOY)

    def run(*arguments):
        done = python("-m", "bench", *arguments, cwd=root, PYTHONPATH=str(root), COLUMNS="200")
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return root, run


def test_it_is_a_choice_in_the_help(toy):
    """Without being imported."""
    _, bench = toy
    assert "toy" in bench("run", "--help")


def test_it_is_planned_run_and_recorded(toy, tmp_path):
    """By its name in ids and columns; the version of what it needs is recorded."""
    root, bench = toy
    model = tiny_directory(tmp_path, "bert")
    asked = ("latency", "--model", model, "--backend", "toy", "--batch-size", 1)
    assert "toy" in bench("list", *asked, "--seq-len", 8)
    sampling = ("--weights", "random", "--processes", 1, "--budget", 0.1, "--output", "run")
    # No such dtype, which is skipped with the reason that follows from the declaration.
    dtypes = ("--dtype", "float32", "--dtype", "bfloat16")
    bench("run", *asked, "--seq-len", 8, "--device", "cpu", *dtypes, *sampling)
    rows = list(csv.DictReader((root / "run" / "cases.csv").read_text().splitlines()))
    assert [row["backend"] for row in rows] == ["toy", "toy"]
    assert all("toy" in row["case"].split("/") for row in rows)
    ended = {row["dtype"]: (row["status"], row["reason"]) for row in rows}
    assert ended["float32"] == ("ok", "")
    assert ended["bfloat16"] == ("skipped", "toy runs in float32 only, not in bfloat16")
    described = json.loads((root / "run" / "environment.json").read_text())
    packages = {"filelock": importlib.metadata.version("filelock")}
    assert described["software"]["packages"] == packages
    assert described["fingerprint"]["packages"] == packages


@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        *((part, f"missing .* {part!r}$") for part in ("needs", "devices", "dtypes", "attentions")),
        *((part, f"missing .* {part!r}$") for part in ("compiles", "own_threads", "build")),
        ("BACKEND", "declares no BACKEND"),
    ],
)
def test_a_declaration_that_leaves_a_part_out_fails_at_import(
    left_out, reason, tmp_path, monkeypatch
):
    """With the file and the part in one line."""
    name = f"without_{left_out.lower()}"
    lines = [line for line in TOY.splitlines() if not line.strip().startswith(f"{left_out}=")]
    text = "\n".join(lines).replace("BACKEND =" if left_out == "BACKEND" else "~", "OTHER =")
    (tmp_path / f"{name}.py").write_text(text)
    places = [*bench.worker.backends.__path__, str(tmp_path)]
    monkeypatch.setattr(bench.worker.backends, "__path__", places)
    with pytest.raises(BenchError, match=rf"^bench/worker/backends/{name}\.py:? .*{reason}"):
        declaration(Backend(name))
