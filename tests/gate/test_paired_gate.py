"""The paired gate: pairs, looks and verdicts, with scripted sides."""

from __future__ import annotations

import itertools

import pytest
from gate_fakes import FakePair, slower_by

from bench.compare.findings import Comparison, Verdict
from bench.compare.thresholds import Thresholds
from bench.gate.paired_gate import PairedGate, differing
from bench.gate.sides import CaseError, Side, SideError
from bench.results import store as records


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


def test_equal_sides_pass_and_every_forward_is_kept(writer):
    """The raw turns and the log-ratio of each pair can be read back."""
    (finding,) = gate(writer, lambda _: FakePair(slower_by(1.0, noise=0.01))).run()
    assert finding.verdict is Verdict.WITHIN_NOISE
    kept = records.read_table(writer.directory, "pairs")
    assert set(kept["pair"]) == {1, 2, 3}
    turns = records.read_table(writer.directory, "turns")
    assert set(turns["side"]) == set(Side)
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


def test_sides_of_different_versions_are_told(writer):
    """Their cost would be taken for the code's; equal ones take no line."""
    made = gate(writer, lambda _: FakePair(slower_by(1.0), torches=("2.6.0", "2.9.1")))
    assert differing(made.versions) == []
    made.run()
    (text,) = differing(made.versions)
    assert text.startswith("torch is 2.6.0 in the baseline and 2.9.1 in the candidate")
    assert differing({side: {"torch": "2.6.0"} for side in Side}) == []


def test_different_outputs_are_red_however_fast(writer):
    """A finding of their own says which case and by how much; its seconds are judged beside it."""
    cached = FakePair(slower_by(0.01), output=lambda side, draw: draw * (side is Side.BASELINE))
    different, seconds = gate(writer, lambda _: cached).run()
    assert (different.verdict, different.case) == (Verdict.DIFFERENT, "check/a")
    assert different.note
    assert seconds.verdict is Verdict.FASTER
    assert Comparison("old", "new", [different, seconds], gate=True).exit_code() == 1


def test_the_threshold_in_force_stands_in_the_finding(writer):
    """Whoever reads the verdict need not know how it was asked for."""
    (finding,) = gate(writer, lambda _: FakePair(slower_by(1.0))).run()
    assert finding.threshold == 0.05


def test_decided_cases_are_left_out_of_further_pairs(writer):
    """Only what is still open is loaded again."""
    asked = []

    def open_pair(cases):
        asked.append(list(cases))
        return FakePair(lambda side, case: 0.2 if (side, case) == (Side.CANDIDATE, "b") else 0.1)

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
        writer,
        lambda _: FakePair(slower_by(1.0), {"a": {Side.CANDIDATE: "no such thing"}}),
        ("a", "b"),
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


@pytest.mark.parametrize(
    ("case", "reasons", "verdict"),
    [
        (
            "check/mine.models:make",
            {Side.BASELINE: "AttributeError: module 'mine.models' has no attribute 'make'"},
            Verdict.NEW,
        ),
        (
            "check/mine.models:make",
            {Side.CANDIDATE: "ModuleNotFoundError: No module named 'mine.models'"},
            Verdict.MISSING,
        ),
        (
            "check/mine:make",
            {Side.CANDIDATE: "ModuleNotFoundError: No module named 'x'"},
            Verdict.FAILED,
        ),
        (
            "check/mine:make",
            dict.fromkeys(Side, "AttributeError: module 'mine' has no attribute 'make'"),
            Verdict.FAILED,
        ),
        (
            "check/tiny/cpu/float32/sdpa/t1/b1/s32",
            {Side.BASELINE: "UsageError: no model 'tiny': give one of bert, albert"},
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
