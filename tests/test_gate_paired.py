"""The paired gate: turns, blocks, log-ratios, sides and verdicts, with scripted and real sides."""

from __future__ import annotations

import itertools
import math
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from fakes import bench

from bench import records
from bench.errors import UsageError
from bench.gate import pairs, sides
from bench.gate.cases import Asked, order, timed_cases
from bench.gate.paired import PairedGate
from bench.gate.pairs import BASELINE, CANDIDATE, SIDES, CaseError, SideError, Turn
from bench.gate.sides import Side
from bench.gate.thresholds import Thresholds
from bench.gate.verdict import Comparison, Verdict


class FakePair:
    """A pair without processes: `seconds` gives the wall time of a forward by side and case."""

    def __init__(self, seconds, failed=None, journal=None):
        self.seconds, self._failed = seconds, failed or {}
        self.journal = [] if journal is None else journal
        self.closed = False

    def failed(self):
        """See Pair."""
        return self._failed

    def turn(self, side, case, forwards):
        """See Pair."""
        self.journal.append((side, forwards))
        took = self.seconds(side, case)
        return [(took, 2 * took)] * forwards

    def close(self):
        """See Pair."""
        self.closed = True


def slower_by(factor, noise=0.0, seed=3):
    """Seconds of a forward: 0.1 on the baseline, `factor` times that on the candidate."""
    rng = random.Random(seed)
    return lambda side, _: (
        0.1 * (factor if side == CANDIDATE else 1) * math.exp(rng.gauss(0, noise))
    )


@pytest.fixture
def writer(tmp_path):
    """Somewhere to keep what was sampled."""
    found = records.open_run(tmp_path / "check")
    yield found
    found.close()


def gate(writer, open_pair, cases=("check/a",), max_time_s=1e9, now=lambda: 0.0):
    """A gate run over scripted pairs."""
    return PairedGate(
        cases, Thresholds(0.05), open_pair, writer, lambda _: None, max_time_s, now=now
    )


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

    turns = pairs.sample(Waits(slower_by(1.0)), "a", random.Random(0))
    spent = sum(t.wall_s for t in turns if t.phase != "warmup")
    assert wanted_s <= spent < wanted_s + 4


def test_log_ratio_is_the_median_over_rounds_of_block_minima():
    """A spoilt forward in a block, and a spoilt round, leave it as it is."""
    turns = [Turn(BASELINE, "switch", 1, 99.0, 1)]
    for number in (1, 2, 3):
        spoilt = 5.0 if number == 2 else 0.0
        turns += [Turn(BASELINE, "sample", number, wall, 1) for wall in (0.1, 0.7)]
        turns += [Turn(CANDIDATE, "sample", number, wall + spoilt, 1) for wall in (0.9, 0.2)]
    found, rounds = pairs.log_ratio(turns, "wall_s")
    assert (found, rounds) == (pytest.approx(math.log(2)), 3)


def test_equal_sides_pass_and_every_forward_is_kept(writer):
    """The raw turns and the log-ratio of each pair can be read back."""
    (finding,) = gate(writer, lambda _: FakePair(slower_by(1.0, noise=0.01))).run()
    assert finding.verdict is Verdict.WITHIN_NOISE
    kept = records.read_table(writer.directory, "pairs")
    assert set(kept["pair"]) == {1, 2, 3}
    turns = records.read_table(writer.directory, "turns")
    assert set(turns["side"]) == set(SIDES)
    assert set(turns["phase"]) == {"warmup", "switch", "sample"}


def test_a_slower_side_is_found_and_confirmed(writer):
    """The finding has the ratio with its interval, both sides' seconds and the fresh pairs."""
    opened = []

    def open_pair(cases):
        opened.append(FakePair(slower_by(1.2, noise=0.01, seed=len(opened))))
        assert list(cases) == ["check/a"]
        return opened[-1]

    (finding,) = gate(writer, open_pair).run()
    assert finding.verdict is Verdict.SLOWER
    assert finding.low < 1.2 < finding.high
    assert finding.candidate == pytest.approx(0.12, rel=0.05)
    assert "confirmed by" in finding.note
    assert "CPU 1." in finding.note
    assert all(pair.closed for pair in opened)
    assert "fresh" in set(records.read_table(writer.directory, "pairs")["stage"])


def test_decided_cases_are_left_out_of_further_pairs(writer):
    """Only what is still open is loaded again."""
    asked = []

    def open_pair(cases):
        asked.append(list(cases))
        return FakePair(lambda side, case: 0.2 if (side, case) == (CANDIDATE, "b") else 0.1)

    findings = gate(writer, open_pair, ("a", "b")).run()
    assert [f.verdict for f in findings] == [Verdict.WITHIN_NOISE, Verdict.SLOWER]
    assert asked[:3] == [["a", "b"]] * 3
    assert asked[3:] == [["b"]] * len(asked[3:])


def test_out_of_time_is_unknown_and_says_what_it_would_take(writer):
    """No pair is started that would end after the limit; what is open stays unknown."""
    clock = itertools.count(0, 60)
    made = gate(writer, lambda _: FakePair(slower_by(1.0)), max_time_s=200, now=lambda: next(clock))
    (finding,) = made.run()
    assert finding.verdict is Verdict.UNKNOWN
    assert "more pairs" in finding.note
    assert "--max-time" in finding.note


def test_a_case_that_cannot_be_loaded_leaves_the_others(writer):
    """Its finding carries the side's reason."""
    findings = gate(
        writer, lambda _: FakePair(slower_by(1.0), {"a": {CANDIDATE: "no such thing"}}), ("a", "b")
    ).run()
    assert [f.verdict for f in findings] == [Verdict.FAILED, Verdict.WITHIN_NOISE]
    assert findings[0].note == "candidate: no such thing"


def test_a_test_that_gives_up_does_not_ask_for_time(writer):
    """After the last look more time would change nothing: the remedy is another one."""
    factors = itertools.cycle((1.5, 1 / 1.5))
    (finding,) = gate(writer, lambda _: FakePair(slower_by(next(factors)))).run()
    assert finding.verdict is Verdict.UNKNOWN
    assert "--max-time" not in finding.note
    assert "larger --threshold" in finding.note


@pytest.mark.parametrize("error", [CaseError("candidate: it raised"), SideError("candidate: died")])
def test_a_side_that_fails_while_running_fails_the_case(writer, error):
    """An exception of the module and the death of its process both become the reason."""

    def seconds(*_):
        raise error

    opened = FakePair(seconds)
    (finding,) = gate(writer, lambda _: opened).run()
    assert (finding.verdict, finding.note) == (Verdict.FAILED, str(error))
    assert opened.closed


def test_a_pair_that_cannot_start_fails_every_case(writer):
    """An interpreter without torch, say."""

    def open_pair(_):
        raise SideError("baseline: no torch")

    findings = gate(writer, open_pair, ("a", "b")).run()
    assert {f.verdict for f in findings} == {Verdict.FAILED}


def test_our_models_and_users_code_are_cases():
    """A factory is one case; our models have one per workload, with facts any side understands."""
    cases = timed_cases(Asked(("mine:make", "albert-base-v2"), (1, 2), (16,)))
    assert [c.id.split("/")[1] for c in cases] == ["mine:make", "albert-base-v2", "albert-base-v2"]
    foreign = Side("old", Path("python"), (), is_ours=False)
    asked = order(cases, foreign, Asked(), 0, {"check/mine:make": 7})
    assert [c["build"]["kind"] for c in asked["cases"]] == ["factory", "config", "config"]
    assert asked["cases"][0]["extra_units"] == 7
    assert asked["cases"][1]["build"]["arguments"]["embedding_size"] == 128
    ours = Side("ref", Path("python"), (), is_ours=True)
    assert order(cases, ours, Asked(), 0, {})["cases"][1]["build"]["kind"] == "repository"


def test_too_long_a_sequence_is_one_clear_line():
    """The same limit as for a run."""
    with pytest.raises(UsageError, match="at most 512"):
        timed_cases(Asked(seq_lens=(513,)))


FACTORY = """
import torch

def make():
    module = torch.nn.Sequential(*[torch.nn.Linear(8, 8) for _ in range({layers})])
    return module, [torch.ones(2, 8)]

def breaks():
    return (lambda x: x).no_such_attribute

def tells_its_allocator():
    import os
    raise ValueError(os.environ["MALLOC_MMAP_MAX_"], os.environ["MALLOC_TRIM_THRESHOLD_"])
"""


def write_factory(directory, layers):
    """A module under test, as a user has it."""
    directory.mkdir(exist_ok=True)
    (directory / "mine.py").write_text(
        textwrap.dedent(FACTORY).format(layers=layers), encoding="utf-8"
    )
    return directory


def real_pair(old, new, *names, python=sys.executable):
    """Two real processes over the factories in two directories."""
    both = {
        name: Side(name, Path(python), (tree,), is_ours=False)
        for name, tree in zip(SIDES, (old, new), strict=True)
    }
    cases = timed_cases(Asked(tuple(f"mine:{name}" for name in names)))
    orders = {name: order(cases, side, Asked(), 0, {}) for name, side in both.items()}
    return pairs.ProcessPair(both, orders, timeout_s=120)


@pytest.mark.parametrize(
    ("case", "reasons", "verdict"),
    [
        (
            "check/mine.models:make",
            {BASELINE: "AttributeError: module 'mine.models' has no attribute 'make'"},
            Verdict.NEW,
        ),
        (
            "check/mine.models:make",
            {CANDIDATE: "ModuleNotFoundError: No module named 'mine.models'"},
            Verdict.MISSING,
        ),
        (
            "check/mine:make",
            {CANDIDATE: "ModuleNotFoundError: No module named 'x'"},
            Verdict.FAILED,
        ),
        (
            "check/mine:make",
            dict.fromkeys(SIDES, "AttributeError: module 'mine' has no attribute 'make'"),
            Verdict.FAILED,
        ),
        (
            "check/tiny/cpu/float32/sdpa/t1/b1/s32",
            {BASELINE: "UsageError: no model 'tiny': give one of bert, albert"},
            Verdict.NEW,
        ),
    ],
)
def test_a_model_that_one_side_lacks_is_new_or_missing(writer, case, reasons, verdict):
    """A model that the change adds passes beside others; one that it takes away fails the gate."""
    cases = (case, "check/a")
    pair = FakePair(slower_by(1.0), failed={case: reasons})
    found, other = gate(writer, lambda _: pair, cases).run()
    assert found.verdict is verdict
    assert next(iter(reasons.values())) in found.note
    assert other.verdict is Verdict.WITHIN_NOISE
    wanted = {Verdict.NEW: 0, Verdict.MISSING: 1, Verdict.FAILED: 3}[verdict]
    assert Comparison("old", "new", [found, other], gate=True).exit_code() == wanted


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
        for side in SIDES:
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


def test_an_interpreter_without_torch_says_so(tmp_path):
    """The last words of a side that died are its reason."""
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')\n", encoding="utf-8")
    with pytest.raises(SideError, match="no torch here"):
        real_pair(tmp_path, tmp_path, "make")


def git(directory, *arguments):
    """Git with an author."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(directory), *who, *arguments]
    subprocess.run(command, check=True, capture_output=True)


def test_a_git_ref_is_checked_out_once_beside_the_working_tree(tmp_path, monkeypatch):
    """The baseline holds the code of the ref, the candidate the code as it is; same interpreter."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = write_factory(tmp_path / "repository", 1)
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "one")
    write_factory(tree, 2)
    notes = []
    old, new = sides.resolve("HEAD", tree, notes.append)
    again, _ = sides.resolve("HEAD", tree, notes.append)
    assert "range(1)" in (old.paths[0] / "mine.py").read_text(encoding="utf-8")
    assert "range(2)" in (new.paths[0] / "mine.py").read_text(encoding="utf-8")
    assert old.python == new.python == Path(sys.executable)
    assert old == again
    assert len(notes) == 1


def test_what_is_neither_interpreter_nor_ref_is_refused(tmp_path):
    """The error says that both were tried."""
    with pytest.raises(UsageError, match="no such interpreter"):
        sides.resolve("no-such-ref", tmp_path, print)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#!/bin/sh\necho a file\n", "that program is no Python interpreter"),
        ("no program at all", "that program is no Python interpreter"),
        ("#!/bin/sh\necho False\n", "that Python is older than 3.10"),
    ],
)
def test_a_program_that_is_no_python_is_refused(tmp_path, text, told):
    """It is asked before anything is measured."""
    program = tmp_path / "program"
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(UsageError, match=told):
        sides.resolve(str(program), tmp_path, print)


def test_only_dependencies_decide_the_environment(tmp_path):
    """A changed linter setting builds no new environment; a changed pin does."""
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[project]\nname = "a"\ndependencies = ["torch"]\n', encoding="utf-8")
    first = sides.dependencies(tmp_path)
    pyproject.write_text(pyproject.read_text() + "[tool.x]\ny = 1\n", encoding="utf-8")
    assert sides.dependencies(tmp_path) == first
    (tmp_path / "constraints.txt").write_text("torch==2.6.0\n", encoding="utf-8")
    assert sides.dependencies(tmp_path) != first


def test_our_models_are_no_test_of_another_projects_refs(tmp_path, monkeypatch):
    """Both sides would run the same code: the user is told to name code of the project's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = write_factory(tmp_path / "repository", 1)
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "one")
    done = bench("check", "--against", "HEAD", cwd=tree)
    assert done.returncode == 2
    assert "--model module:function" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--threshold", "5"), "--threshold is 5"),
        (("--max-time", "0"), "--max-time is 0"),
        (("--seq-len", "0"), "--seq-len is 0"),
        (("--dtype", "int8"), "--dtype is int8"),
        (("--clock", "cpu", "--device", "cuda"), "--clock is cpu"),
    ],
)
def test_wrong_options_are_one_clear_line(tmp_path, options, told):
    """Each is refused before any process is started."""
    _refused(tmp_path, ("check", "--against", sys.executable, *options), told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--pairs", "2"), "--pairs is 2"),
        (("--timeout", "-1"), "--timeout is -1"),
        (("--study", "--timeout", "nan"), "--timeout is nan"),
        (("--study", "--gate-runs", "-3"), "--gate-runs is -3"),
    ],
)
def test_a_study_of_noise_with_wrong_options_is_refused(tmp_path, options, told):
    """Nothing is left behind."""
    _refused(tmp_path, ("noise", *options), told)


def _refused(directory, command, told):
    done = bench(*command, cwd=directory)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert not list(directory.iterdir())


def test_a_study_of_code_that_is_not_there_says_so(tmp_path):
    """Its calibration needs every case; the reason of the side is told, without a traceback."""
    done = bench("noise", "--study", "--model", "typo:make", cwd=tmp_path)
    assert done.returncode == 3
    assert "No module named 'typo'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_says_what_is_missing(tmp_path):
    """Without a baseline or another side there is nothing to check against: exit code 2."""
    done = bench("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "--baseline" in done.stderr
