"""Process pairs: turns, blocks and log-ratios, with scripted and real sides."""

from __future__ import annotations

import itertools
import math
import platform
import random
import sys
import time
from importlib.metadata import version

import psutil
import pytest
from gate_fakes import FakePair, real_pair, slower_by, write_factory

from bench.gate import process_pair as pairs
from bench.gate.process_pair import BASELINE, CANDIDATE, SIDES, SideError, Turn


def test_sides_take_turns_in_balanced_order():
    """Each side goes first as often, and the first forward after a switch is marked."""
    pair = FakePair(slower_by(1.0))
    turns = pairs.sample(pair, "a", random.Random(0))
    by_round = itertools.groupby((t for t in turns if t.phase != "warmup"), lambda t: t.round)
    firsts = [next(group).side for _, group in by_round]
    assert firsts.count(BASELINE) == firsts.count(CANDIDATE)
    before = None
    for turn in (t for t in turns if t.phase != "warmup"):
        assert before is None or (turn.phase == "switch") == (turn.side != before)
        before = turn.side


def test_both_sides_run_blocks_of_one_size():
    """The minimum of a larger block would be smaller for no other reason."""
    turns = pairs.sample(FakePair(slower_by(3.0)), "a", random.Random(0))
    sizes = {
        side: len([t for t in turns if t.side == side and t.phase == "sample"]) for side in SIDES
    }
    assert sizes[BASELINE] == sizes[CANDIDATE]


def test_sampling_stops_when_its_time_is_spent():
    """Seconds of forwards are counted, not of the clock on the wall."""
    turns = pairs.sample(FakePair(slower_by(1.0)), "a", random.Random(0))
    spent = sum(t.wall_s for t in turns if t.phase != "warmup")
    assert pairs.SAMPLING_S <= spent < pairs.SAMPLING_S + 4


@pytest.mark.parametrize(("cpu_share", "wanted_s"), [(0.5, 16.0), (0.1, 24.0)])
def test_a_busy_machine_is_sampled_for_longer(cpu_share, wanted_s):
    """Seconds of waiting for a core do not count, up to three times the usual time."""

    class Waits(FakePair):
        def turn(self, side, case, forwards):
            return [(wall, wall * cpu_share) for wall, _ in super().turn(side, case, forwards)]

    pair = Waits(slower_by(1.0))
    turns = pairs.sample(pair, "a", random.Random(0), pair.now)
    spent = sum(t.wall_s for t in turns if t.phase != "warmup")
    assert wanted_s <= spent < wanted_s + 4


def test_asking_for_short_forwards_ends_in_time():
    """Where a turn takes longer to ask for than to run, the clock on the wall ends both loops."""
    pair = FakePair(lambda *_: 1e-6, asking_s=0.05)
    turns = pairs.sample(pair, "a", random.Random(0), pair.now)
    limit_s = len(SIDES) * pairs.MOST_WARMUP_S + pairs.MOST_SAMPLING_S
    assert limit_s <= pair.now() < limit_s + 1
    assert sum(turn.phase == "warmup" for turn in turns) < 100


def test_rounds_of_short_forwards_are_not_without_number():
    """Every forward is kept: a layer that takes microseconds must not fill the disk."""
    turns = pairs.sample(FakePair(lambda *_: 1e-4), "a", random.Random(0), lambda: 0.0)
    assert max(turn.round for turn in turns) == pairs.MOST_ROUNDS


def test_log_ratio_is_the_median_over_rounds_of_block_minima():
    """A spoilt forward in a block, and a spoilt round, leave it as it is."""
    turns = [Turn(BASELINE, "switch", 1, 99.0, 1)]
    for number in (1, 2, 3):
        spoilt = 5.0 if number == 2 else 0.0
        turns += [Turn(BASELINE, "sample", number, wall, 1) for wall in (0.1, 0.7)]
        turns += [Turn(CANDIDATE, "sample", number, wall + spoilt, 1) for wall in (0.9, 0.2)]
    found, rounds = pairs.log_ratio(turns, "wall_s")
    assert (found, rounds) == (pytest.approx(math.log(2)), 3)


def test_real_sides_run_each_their_own_code(tmp_path):
    """Workers of both sides live at once; each answers turns; one broken case is named."""
    old, new = write_factory(tmp_path / "old", 1), write_factory(tmp_path / "new", 1)
    pair = real_pair(old, new, "make", "breaks", "tells_its_allocator")
    try:
        failed, (_, told) = pair.failed().items()
        # Both keep what they free: see STEADY_ALLOCATOR.
        assert set(told.values()) == {"ValueError: ('0', '1099511627776')"}
        assert failed[0] == "check/mine:breaks"
        assert list(failed[1]) == list(SIDES)
        assert all(reason.startswith("AttributeError") for reason in failed[1].values())
        here = {"python": platform.python_version(), "torch": version("torch")}
        for side in SIDES:
            assert here.items() <= pair.versions()[side].items()
            took = pair.turn(side, "check/mine:make", 3)
            assert len(took) == 3
            assert all(wall > 0 for wall, _ in took)
        answer = pair.ask(BASELINE, {"do": "calibrate", "case": "check/mine:make"})
        assert answer["event"] == "calibrated"
        assert isinstance(answer["unit_share"], float)
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
        assert len(pair.turn(BASELINE, "check/mine:make", 1)) == 1
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
        sides = _children(parent, len(SIDES))
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
