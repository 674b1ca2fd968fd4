"""The terminal while a run goes on."""

import io
import sys
from io import StringIO

import pytest
from fakes import case, pair
from rich.console import Console

from bench.core.axes import Dtype
from bench.core.case import Status
from bench.core.suite import Sampling
from bench.terminal.progress import TerminalDisplay, console


def screen(*, terminal=False, width=120):
    """A console that writes to memory."""
    return Console(file=StringIO(), force_terminal=terminal, width=width, highlight=False)


def test_without_a_terminal_each_case_is_one_line():
    """Logs get a plain line per ended case, with its reason when it failed, and nothing else."""
    out = screen()
    display = TerminalDisplay(console=out)
    display.start(pair(), Sampling())
    display.note("weights are [random]")
    display.begin(pair(), 1)
    display.advance(case())
    display.finish(case(), Status.OK, "")
    display.finish(case("albert", dtype=Dtype.FLOAT16), Status.KILLED, "by SIGKILL")
    display.stop()
    assert out.file.getvalue().splitlines() == [
        "note: weights are [random]",
        "[1/2] latency: batch 1, 16 tokens (cpu), bert",
        "[2/2] latency: batch 1, 16 tokens (cpu, float16 sdpa), albert: killed: by SIGKILL",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_on_a_terminal_the_current_case_is_seen_beside_the_bar(width):
    """Bar, cases done, time left and what is measured now, on one line; failures stay."""
    out = screen(terminal=True, width=width)
    display = TerminalDisplay(console=out)
    display.start(pair(), Sampling(processes=2))
    display.begin(pair(), 1)
    display.finish(case(), Status.OK, "")
    display.finish(case("albert"), Status.FAILED, "broken")
    display._progress.refresh()
    display.stop()
    text = out.file.getvalue()
    for part in ("2/2", "-:--", "latency 1x16, process 1: bert | albert", "failed: broken"):
        assert part in text
    assert "[1/2]" not in text


def test_names_with_brackets_are_no_markup():
    """In the bar as well."""
    out = screen(terminal=True)
    display = TerminalDisplay(console=out)
    display.start([case("bert[v1]")], Sampling())
    display.begin([case("bert[v1]")], 1)
    display._progress.refresh()
    display.stop()
    assert "bert[v1]" in out.file.getvalue()


def test_an_ascii_stdout_takes_every_text(monkeypatch):
    """Signs that it lacks are replaced, those of numbers by their like, and nothing is raised."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    console().print("69.3 ms ±4%  1.03× 模型")
    assert raw.getvalue().decode("ascii").rstrip() == "69.3 ms +-4%  1.03x ??"


def test_columns_is_honoured_where_the_output_is_piped(monkeypatch):
    """A log that somebody reads at 80 columns is made for them."""
    monkeypatch.setattr(sys, "stdout", StringIO())
    monkeypatch.setenv("COLUMNS", "80")
    assert console().width == 80
    monkeypatch.delenv("COLUMNS")
    assert console().width == 120
