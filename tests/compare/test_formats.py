"""Findings written out: for a terminal, for programs, for GitHub; and thresholds read in."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from bench.compare import formats as output
from bench.compare import thresholds
from bench.compare.findings import Comparison, Finding, Format, Verdict, joined
from bench.core.errors import UsageError

CASE = "latency/bert/cpu/float32/sdpa/t2/b1/s128"
SLOWER = Finding(CASE, "latency", Verdict.SLOWER, "s", 0.1, 0.11, 1.1, 1.08, 1.12)
CHANGED = Finding(CASE, "operators", Verdict.CHANGED, "1", 1000.0, 1001.0, 1.001)
EQUAL = Finding(CASE, "flops", Verdict.EQUAL, "1", 5e9, 5e9, 1.0)
FAILED = Finding("b", "", Verdict.FAILED, note="killed: by | someone")
NEW = Finding("c", "", Verdict.NEW)
UNKNOWN = Finding(CASE, "latency", Verdict.UNKNOWN, "s", 0.1, 0.1, 1.0, 0.9, 1.1)


def comparison(*findings, gate=True):
    """A comparison of two sides with these findings."""
    return Comparison("old", "new", findings, gate=gate)


@pytest.mark.parametrize(
    ("findings", "gate", "code"),
    [
        ([EQUAL], True, 0),
        ([EQUAL, SLOWER, FAILED], True, 1),
        ([EQUAL, CHANGED], True, 1),
        ([EQUAL, FAILED], True, 3),
        ([EQUAL, UNKNOWN], True, 3),
        ([EQUAL, UNKNOWN], False, 0),
        ([], True, 3),
    ],
)
def test_exit_codes(findings, gate, code):
    """1 for anything worse, 3 for what could not be measured, and never 0 for nothing at all."""
    assert comparison(*findings, gate=gate).exit_code() == code


@pytest.mark.parametrize(
    ("findings", "others", "code"),
    [([NEW], [EQUAL], 3), ([], [EQUAL], 3), ([FAILED], [SLOWER], 1), ([EQUAL], [EQUAL], 0)],
)
def test_each_gate_has_to_hold_by_itself(findings, others, code):
    """One that compared nothing is no pass because another passed, and is told."""
    found = joined([comparison(*others), Comparison("ref", "tree", findings, gate=True)])
    assert found.exit_code() == code
    assert list(found.findings) == [*others, *findings]
    void = ["nothing could be compared between ref and tree"]
    assert found.notes == (void if findings in ([], [NEW]) else [])


def test_the_table_names_old_and_new_value_to_the_digit(capsys):
    """A changed count is not rounded away; equal figures take no line."""
    code = output.show(comparison(CHANGED, EQUAL), Format.TABLE, {})
    text = capsys.readouterr().out
    assert code == 1
    assert "1,000" in text
    assert "1,001" in text
    assert "flops" not in text
    assert "1 equal, 1 changed" in text


def test_threads_are_told_where_they_are_compared():
    """The cases of the suite that scales would all have one name."""
    assert output.readable("scaling/bert/cpu/float32/sdpa/~t2/b1/s128").endswith("b1 s128 (t2)")
    assert output.readable(CASE) == "latency: bert, b1 s128"


def test_markdown_puts_the_worst_first_and_escapes_bars():
    """A bar in a reason does not end a cell."""
    lines = output.markdown(comparison(FAILED, SLOWER)).splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert "slower" in rows[2]
    assert "by \\| someone" in rows[3]


def test_json_says_null_for_what_is_not_known():
    """The document is strict JSON with every finding and the exit code."""
    document = json.loads(output.as_json(comparison(FAILED, EQUAL)))
    assert document["exit_code"] == 3
    assert document["findings"][0]["ratio"] is None
    assert document["findings"][1]["verdict"] == "equal"


def test_junit_tells_failures_from_errors():
    """What is worse is a failure, what could not be measured an error."""
    suite = ET.fromstring(output.junit(comparison(SLOWER, FAILED, EQUAL)))  # noqa: S314 - our own text
    assert [suite.get(k) for k in ("tests", "failures", "errors")] == ["3", "1", "1"]
    assert suite.find("testcase/failure").get("message").startswith(CASE)


def test_junit_is_well_formed_whatever_a_reason_holds():
    """Exceptions are coloured, and cut in the middle of a character."""
    reason = "\x1b[1;31mkilled\x1b[0m \x00\ud800\uffff<&> by 犬 \U0001f415"
    suite = ET.fromstring(output.junit(comparison(replace(FAILED, note=reason))))  # noqa: S314
    assert suite.find("testcase/error").get("message").endswith("killed <&> by 犬 \U0001f415")


@pytest.mark.parametrize("form", Format)
def test_the_threshold_in_force_stands_in_every_output(form, capsys):
    """A verdict without it could not be checked; cases of another are counted in."""
    judged = comparison(*(replace(SLOWER, threshold=share) for share in (0.05, 0.05, 0.005)))
    output.show(judged, form, {})
    assert "5% (some cases: 0.5%)" in capsys.readouterr().out
    assert "threshold" in output.sentence(judged.findings[0])


def test_a_table_of_counts_alone_has_no_threshold():
    """None was in force."""
    assert comparison(EQUAL, CHANGED).thresholds() == ""


def test_advice_is_neither_failure_nor_silence():
    """Seconds of different times fail nothing, and the headline does not say that all is well."""
    advised = comparison(EQUAL, replace(SLOWER, advice=True), gate=False)
    assert (advised.exit_code(), advised.failing) == (0, [])
    suite = ET.fromstring(output.junit(advised))  # noqa: S314 - our own text
    assert (suite.get("failures"), len(suite.findall("testcase/skipped"))) == ("0", 1)
    assert output._headline(advised) != output._headline(comparison(EQUAL))


def test_github_gets_a_summary_and_annotations(tmp_path, capsys):
    """In GitHub Actions the summary page is appended to and each failing finding annotated."""
    page = tmp_path / "summary.md"
    page.write_text("before\n", encoding="utf-8")
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)}
    output.show(comparison(SLOWER, EQUAL), Format.JSON, environ)
    found = capsys.readouterr()
    assert page.read_text(encoding="utf-8").startswith("before\n### bench: a regression")
    assert found.err.startswith("::error title=bench: slower::")
    json.loads(found.out)


def test_annotations_stay_on_one_line():
    """Newlines and percent signs are escaped as workflow commands want it."""
    assert output._escaped("5%\nmore") == "5%25%0Amore"


@pytest.mark.parametrize(("text", "value"), [("5%", 0.05), ("0.5%", 0.005), ("0.02", 0.02)])
def test_thresholds_are_shares(text, value):
    """Percent and fractions are both understood."""
    assert thresholds.parse(text, "--threshold") == pytest.approx(value)


@pytest.mark.parametrize("text", ["5", "0", "-1%", "five", "nan", ""])
def test_a_threshold_that_is_no_share_is_refused(tmp_path, text):
    """`5` is more likely a forgotten percent sign than 500 %."""
    with pytest.raises(UsageError, match="--threshold"):
        thresholds.read(tmp_path, text)


def test_thresholds_by_suite_and_case(tmp_path):
    """The last entry that fits wins, and the option replaces the general one only."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.bench]\nthreshold = "4%"\n[tool.bench.thresholds]\n'
        'latency = "3%"\n"latency/bert/*" = 0.02\n"*/z" = 0.05\n"check/y" = 0.05\n',
        encoding="utf-8",
    )
    found = thresholds.read(tmp_path, None)
    assert [found.of(c) for c in (CASE, "latency/albert/x", "memory/bert")] == [0.02, 0.03, 0.04]
    assert thresholds.read(tmp_path, "10%").of("memory/bert") == pytest.approx(0.10)


@pytest.mark.parametrize(
    "text",
    [
        "[tool.bench]\ntreshold = 1\n",
        "[tool.bench\n",
        "[tool]\nbench = 1\n",
        '[tool.bench.thresholds]\nlatancy = "3%"\n',
        '[tool.bench.thresholds]\n"latancy/bert/*" = "3%"\n',
    ],
)
def test_a_wrong_pyproject_is_one_clear_line(tmp_path, text):
    """A misspelt setting is an error, not a default."""
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        thresholds.read(tmp_path, None)
