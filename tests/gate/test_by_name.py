"""The gate's entry into another tree: trees of every age load their own models by name."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bench.gate import environments as sides
from bench.gate import process_pair as pairs
from bench.gate.cases import Asked, order, timed_cases
from bench.gate.outputs import difference
from bench.gate.sides import Side

ROOT = Path(__file__).resolve().parents[2]
OLD = "a393199"
"""The last commit before `bench.gate.by_name`, with loading, registry and spec in one folder."""


@pytest.fixture
def old_tree(tmp_path):
    """The files of the old commit; a clone without history cannot show them."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", OLD, "bench", "suites"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"this checkout has no commit {OLD}: git fetch --unshallow")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(tmp_path / "old", filter="data")
    return tmp_path / "old"


@pytest.mark.process
def test_a_tree_from_before_the_rooms_is_checked_against_this_one(old_tree, tiny_models):
    """Both sides load the model by their own code, and their forwards are timed in turn."""
    trees = {
        name: sides.Environment(name, Path(sys.executable), (tree,), is_ours=sides._ours(tree))
        for name, tree in zip(Side, (old_tree, ROOT), strict=True)
    }
    assert all(side.is_ours for side in trees.values())
    asked = Asked((str(tiny_models["albert"]),), seq_lens=(16,))
    cases = timed_cases(asked)
    orders = {name: order(cases, side, asked, 0, {}) for name, side in trees.items()}
    for told in orders.values():
        for case in told["cases"]:
            case["build"] = {"kind": "repository", "name": str(tiny_models["albert"])}
    pair = pairs.ProcessPair(trees, orders, timeout_s=120)
    try:
        assert pair.failed() == {}
        case = cases[0].id
        for side in Side:
            [(wall_s, cpu_s)] = pair.turn(side, case, 1, 0)
            assert wall_s > 0
            assert cpu_s >= 0
        assert difference(*(pair.outputs(side, case) for side in Side)) == ""
    finally:
        pair.close()
