"""The end of a run as a whole: one golden text, and what holds of every one."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tables import outcome

from bench.core.case import Status
from bench.core.errors import NothingMeasuredError
from bench.terminal.summary import INTERRUPTED, show_ending, show_outcome

GOLDEN = Path(__file__).parent / "ending_80.txt"


def ending(width=80, **options):
    """The text of an ending."""
    out = Console(file=StringIO(), width=width)
    show_ending(out, outcome(), **options)
    return out.file.getvalue()


def test_the_ending_at_80_columns():
    """The default run, word by word; at most 40 lines."""
    text = ending(page=Path("reports/20261127-182636-f611a6/index.html"))
    assert text == GOLDEN.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40


def test_a_note_is_a_line_and_stands_in_full_when_asked_for():
    """No note is broken over lines at the end of a run; `--notes` has all of its words."""
    short, full = ending(), ending(notes=True)
    assert "outputs mean nothing" not in short
    assert "--notes" in short
    assert "outputs mean nothing" in " ".join(full.split())


def test_the_answer_comes_last():
    """After the table, the notes and the places."""
    text = ending()
    assert text.index("notes (") < text.index("results: ") < text.index("ALBERT stores")


def test_an_interrupted_run_says_how_to_go_on():
    """And has the exit code of an interruption."""
    found = outcome()
    found.environment["run"]["state"] = "interrupted"
    out = Console(file=StringIO(), width=80)
    assert show_outcome(out, found, {}, None) == INTERRUPTED
    assert "--resume" in out.file.getvalue()


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((Status.OK, Status.OK), 0),
        ((Status.OK, Status.SKIPPED), 0),
        ((Status.OK, Status.FAILED), 1),
    ],
)
def test_the_exit_code_says_whether_cases_failed(statuses, code):
    """What this machine cannot run is no failure."""
    out = Console(file=StringIO(), width=80)
    done = {str(i): status for i, status in enumerate(statuses)}
    assert show_outcome(out, outcome(), done, None) == code


def test_nothing_measured_is_an_error():
    """With the number of cases, and where they are."""
    out = Console(file=StringIO(), width=80)
    with pytest.raises(NothingMeasuredError, match="of 1 cases all failed"):
        show_outcome(out, replace(outcome()), {"a": Status.FAILED}, None)
