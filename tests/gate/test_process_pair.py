"""Process pairs: turns, blocks and log-ratios, with scripted and real sides."""

from __future__ import annotations

import platform
import sys
import time
from importlib.metadata import version

import psutil
import pytest
from gate_fakes import real_pair, write_factory

from bench.gate.outputs import difference
from bench.gate.sides import Side, SideError

pytestmark = pytest.mark.process


def test_real_sides_run_each_their_own_code(tmp_path):
    """Workers of both sides live at once; each answers turns; one broken case is named."""
    old, new = write_factory(tmp_path / "old", 1), write_factory(tmp_path / "new", 1)
    pair = real_pair(old, new, "make", "breaks", "tells_its_allocator")
    try:
        failed, (_, told) = pair.failed().items()
        # Both keep what they free: see STEADY_ALLOCATOR.
        assert set(told.values()) == {"ValueError: ('0', '1099511627776')"}
        assert failed[0] == "check/mine:breaks"
        assert list(failed[1]) == list(Side)
        assert all(reason.startswith("AttributeError") for reason in failed[1].values())
        here = {"python": platform.python_version(), "torch": version("torch")}
        for side in Side:
            assert here.items() <= pair.versions()[side].items()
            took = pair.turn(side, "check/mine:make", 3, 16)
            assert len(took) == 3
            assert all(wall > 0 for wall, _ in took)
        answer = pair.ask(Side.BASELINE, {"do": "calibrate", "case": "check/mine:make"})
        assert answer["event"] == "calibrated"
        assert isinstance(answer["unit_share"], float)
    finally:
        pair.close()


def test_a_candidate_that_keeps_its_forward_computes_something_else(tmp_path):
    """Its inputs are new each time, so what it kept is of others."""
    old, new = write_factory(tmp_path / "old", 1), write_factory(tmp_path / "new", 2)
    pair = real_pair(old, new, "caches")
    try:
        assert pair.failed() == {}
        found = {}
        for draw in (0, 16):
            for side in Side:
                pair.turn(side, "check/mine:caches", 1, draw)
                found[side] = pair.outputs(side, "check/mine:caches")
            assert bool(difference(*found.values())) is (draw == 16)
    finally:
        pair.close()


def test_what_an_interpreter_prints_at_its_start_is_no_answer(tmp_path):
    """A wrapper around Python may greet; its side is measured all the same."""
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\necho welcome\nexec {sys.executable} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    tree = write_factory(tmp_path / "tree", 1)
    pair = real_pair(tree, tree, "make", python=wrapper)
    try:
        assert len(pair.turn(Side.BASELINE, "check/mine:make", 1, 0)) == 1
    finally:
        pair.close()


PARENT = """
import sys
sys.path[:0] = {paths}
from pathlib import Path
from gate_fakes import real_pair

real_pair(Path("."), Path("."), "make")
"""


def test_sides_end_with_a_parent_that_is_killed(tmp_path):
    """Whatever they are doing: these two hang while they import."""
    (tmp_path / "torch.py").write_text("import time\ntime.sleep(600)\n", encoding="utf-8")
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(paths=sys.path), encoding="utf-8")
    parent = psutil.Popen([sys.executable, str(script)], cwd=tmp_path)
    try:
        sides = _children(parent, len(Side))
    finally:
        parent.kill()
        parent.wait()
    assert psutil.wait_procs(sides, timeout=20)[1] == []


def _children(parent, wanted):
    """Its child processes, as soon as there are so many."""
    for _ in range(600):
        found = parent.children()
        if len(found) == wanted and all("side_process" in " ".join(p.cmdline()) for p in found):
            return found
        time.sleep(0.1)
    raise AssertionError("the sides never started")


def test_an_interpreter_without_torch_says_so(tmp_path):
    """The last words of a side that died are its reason."""
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')\n", encoding="utf-8")
    with pytest.raises(SideError, match="no torch here"):
        real_pair(tmp_path, tmp_path, "make")
