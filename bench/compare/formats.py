"""A comparison for its reader: terminal table, Markdown, JSON, JUnit, and GitHub's own channels."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree as ET

import typer

from bench.compare.findings import Comparison, Finding, Format, Verdict, as_percent
from bench.core.axes import AXES, Variant
from bench.core.case import COMPARED
from bench.terminal.progress import console
from bench.wording.numbers import plain, quantity, ratio_of, times

COLUMNS = ("verdict", "case", "metric", "baseline", "candidate", "ratio", "note")
NAMED = tuple(axis.name for axis in AXES if axis.always)
"""The axes that every id names."""
CASE_PARTS = ("suite", "model", "device", *NAMED, "threads", "batch", "tokens")
"""What the parts of a case's id are (`Case.id`)."""
NO_XML = re.compile(r"\x1b\[[0-9;]*m|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, however it is escaped, and the colours that such characters begin."""
STYLES = {
    Verdict.SLOWER: "bold red",
    Verdict.CHANGED: "bold red",
    Verdict.DIFFERENT: "bold red",
    Verdict.MISSING: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.FASTER: "green",
    Verdict.UNKNOWN: "yellow",
}

ADVICE_STYLE = "yellow"
SKIPPED = (Verdict.INCOMPARABLE, Verdict.NEW, Verdict.UNKNOWN)
"""Verdicts of tests that JUnit has neither passed nor failed."""


def show(comparison: Comparison, form: Format, environ: Mapping[str, str] = os.environ) -> int:
    """Write the comparison out, to GitHub as well where it runs there; returns the exit code."""
    match form:
        case Format.TABLE:
            _table(comparison)
        case Format.MARKDOWN:
            typer.echo(markdown(comparison))
        case Format.JSON:
            typer.echo(as_json(comparison))
        case Format.JUNIT:
            typer.echo(junit(comparison))
    if environ.get("GITHUB_ACTIONS") == "true":
        # On stderr, where GitHub reads them too: stdout may be a file for another program.
        github(comparison, environ.get("GITHUB_STEP_SUMMARY"), sys.stderr)
    return comparison.exit_code()


def cells(finding: Finding) -> tuple[str, ...]:
    """One finding as text, in the order of COLUMNS."""
    return (
        finding.verdict.value,
        readable(finding.case),
        finding.metric,
        figure(finding.baseline, finding),
        figure(finding.candidate, finding),
        ratio(finding),
        finding.note,
    )


def readable(case: str) -> str:
    """A case's id in words: its variant only if unusual, its threads only if they are compared."""
    parts = case.split("/")
    if len(parts) != len(CASE_PARTS):
        return case
    part = dict(zip(CASE_PARTS, parts, strict=True))
    usual = ("cpu", *Variant().compared)
    variant = [x for x, u in zip(parts[2 : 3 + len(NAMED)], usual, strict=True) if x != u]
    if part["threads"].startswith(COMPARED):
        variant.append(part["threads"].removeprefix(COMPARED))
    where = f" ({' '.join(variant)})" if variant else ""
    return f"{part['suite']}: {part['model']}, {part['batch']} {part['tokens']}{where}"


def figure(value: float, finding: Finding) -> str:
    """A value in its unit; to the last digit where that is what has changed."""
    if math.isnan(value):
        return ""
    if finding.verdict is Verdict.CHANGED and value.is_integer():
        return f"{int(value):,}" + (" B" if finding.unit == "B" else "")
    return scaled(value, finding.unit)


def scaled(value: float, unit: str) -> str:
    """A value in its unit, in the signs of a terminal."""
    return plain(quantity(value, unit))


def ratio(finding: Finding) -> str:
    """Candidate over baseline, with its interval where there is one."""
    if math.isnan(finding.ratio):
        return ""
    ratio, low, high = finding.ratio, finding.low, finding.high
    if math.isnan(low) or math.isnan(high):  # counted, or of one process
        return plain(times(ratio, ratio, ratio))
    return plain(ratio_of(ratio, low, high))


def _shown(comparison: Comparison) -> list[Finding]:
    """What is worth a line: everything but the exact figures that stayed what they were."""
    return [f for f in comparison.findings if f.verdict is not Verdict.EQUAL]


def _title(comparison: Comparison) -> str:
    return f"{comparison.baseline} (baseline) and {comparison.candidate} (candidate)"


def _table(comparison: Comparison) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    shown = _shown(comparison)
    if shown:
        filled = [c for i, c in enumerate(COLUMNS) if any(cells(f)[i] for f in shown)]
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in filled:
            right = name in ("baseline", "candidate", "ratio")
            table.add_column(name, justify="right" if right else "left", overflow="fold")
        for finding in shown:
            row = dict(zip(COLUMNS, cells(finding), strict=True))
            style = STYLES.get(finding.verdict, "")
            if finding.advice and style:
                style = ADVICE_STYLE
            table.add_row(*(Text(row[c], style if c == "verdict" else "") for c in filled))
        out.print(table)
    for text in comparison.notes:
        out.print(f"note: {text}", markup=False, soft_wrap=True)
    out.print(f"{_title(comparison)}: {comparison.conclusion()}", markup=False, soft_wrap=True)


def markdown(comparison: Comparison) -> str:
    """The comparison as a GitHub-flavoured Markdown table, worst first."""
    lines = [f"### bench: {_headline(comparison)}", "", f"{_title(comparison)}."]
    lines.append(comparison.conclusion())
    lines.extend(f"Note: {text}." for text in comparison.notes)
    shown = sorted(_shown(comparison), key=lambda f: not f.is_red)
    if shown:
        lines += ["", _row(COLUMNS), _row(["---"] * len(COLUMNS))]
        lines.extend(_row([text.replace("|", "\\|") for text in cells(f)]) for f in shown)
    return "\n".join(lines)


def _headline(comparison: Comparison) -> str:
    match comparison.exit_code():
        case 0 if any(f.advice and f.verdict is Verdict.SLOWER for f in comparison.findings):
            return "nothing that fails; some seconds may have got worse"
        case 0:
            return "nothing got worse"
        case 1:
            return "a regression was found"
        case _:
            return "not everything could be measured"


def _row(texts: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def as_json(comparison: Comparison) -> str:
    """Every finding, for programs."""
    return json.dumps(document(comparison), indent=2)


def document(comparison: Comparison) -> dict[str, Any]:
    """Every finding, as JSON has it; a figure that is not known is null."""
    findings = [
        {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(f).items()}
        for f in comparison.findings
    ]
    return {
        "baseline": comparison.baseline,
        "candidate": comparison.candidate,
        "exit_code": comparison.exit_code(),
        "conclusion": comparison.conclusion(),
        "threshold": comparison.thresholds(),
        "notes": list(comparison.notes),
        "findings": findings,
    }


def junit(comparison: Comparison) -> str:
    """A JUnit report: one test per finding; what fails the gate is a failure or an error."""
    failing = comparison.failing
    red = [f for f in failing if f.is_red]
    suite = ET.Element(
        "testsuite",
        name=f"bench: {_title(comparison)}",
        tests=str(len(comparison.findings)),
        failures=str(len(red)),
        errors=str(len(failing) - len(red)),
    )
    if comparison.thresholds():
        properties = ET.SubElement(suite, "properties")
        ET.SubElement(properties, "property", name="threshold", value=comparison.thresholds())
    for finding in comparison.findings:
        name = finding.metric or "presence"
        case = ET.SubElement(suite, "testcase", classname=finding.case, name=name)
        if finding in failing:
            tag = "failure" if finding.is_red else "error"
            ET.SubElement(case, tag, type=finding.verdict.value, message=sentence(finding))
        elif finding.advice or finding.verdict in SKIPPED:
            ET.SubElement(case, "skipped", message=sentence(finding))
    ET.indent(suite)
    return NO_XML.sub("", ET.tostring(suite, encoding="unicode", xml_declaration=True))


def sentence(finding: Finding) -> str:
    """One finding as a line: what, how much, from what to what."""
    what = f"{finding.case} {finding.metric}".strip()
    parts = [f"{what} is {finding.verdict.value}"]
    old, new = figure(finding.baseline, finding), figure(finding.candidate, finding)
    if old and new:
        parts.append(f"{old} -> {new}")
    if not math.isnan(finding.ratio):
        parts.append(ratio(finding))
    if not math.isnan(finding.threshold):
        parts.append(f"threshold {as_percent(finding.threshold)}")
    if finding.note:
        parts.append(finding.note)
    return ", ".join(parts)


def github(comparison: Comparison, summary: str | None, stream: TextIO) -> None:
    """The job's summary page, and one annotation for each finding that fails the job."""
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown(comparison) + "\n")
    for finding in comparison.failing:
        title = f"bench: {finding.verdict.value}"
        stream.write(f"::error title={_escaped(title)}::{_escaped(sentence(finding))}\n")


def _escaped(text: str) -> str:
    """Text as a workflow command takes it."""
    for sign, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(sign, code)
    return text
