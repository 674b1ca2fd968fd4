from dataclasses import replace
from io import StringIO

import pytest
from fakes import ALBERT, BERT, case, pair, write_run
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.core.axes import Dtype
from bench.core.case import Measure, Status, Workload
from bench.core.suite import Sampling
from bench.plan.estimate import estimate
from bench.stats.ratios import ratios
from bench.stats.speedups import Gain
from bench.stats.summary import summarise
from bench.terminal.progress import TerminalDisplay
from bench.terminal.results import show_gains, show_plan, show_results
from bench.wording.numbers import scaled


def screen(*, terminal=False):
    """A console that writes to memory."""
    return Console(file=StringIO(), force_terminal=terminal, width=120, highlight=False)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.234, "s", "1.23 s"),
        (0.0123456, "s", "12.3 ms"),
        (4.56e-6, "s", "4.56 us"),
        (0.0, "s", "0 us"),
        (437_928_960, "B", "438 MB"),
        (1.5e9, "B", "1.50 GB"),
        (12, "1", "12"),
        (109_482_240, "1", "109 M"),
        (22_348_431_360, "1", "22.3 G"),
        (3.14159, "1/s", "3.14/s"),
        (0.999999, "s", "1.00 s"),
        (999.9e6, "B", "1.00 GB"),
        (1234.5, "s", "1234 s"),
    ],
)
def test_quantities_are_scaled_to_be_read(value, unit, text):
    """Three significant figures, in the unit that keeps the number small."""
    assert scaled(value, unit) == text


@given(st.floats(1e-6, 1e3), st.sampled_from(["s", "B", "1/s"]))
def test_a_quantity_keeps_its_value(value, unit):
    """What is shown is within half of its last figure of what was measured."""
    scales = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "/s": 1.0}
    number = scaled(value, unit).replace("/s", " /s")
    shown, name = number.split()
    assert float(shown) * scales[name] == pytest.approx(value, rel=0.0051)


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


def test_on_a_terminal_a_bar_counts_the_cases():
    """The bar shows how many cases are done, which is measured now and what failed."""
    out = screen(terminal=True)
    display = TerminalDisplay(console=out)
    display.start(pair(), Sampling(processes=2))
    display.begin(pair(), 1)
    display.finish(case(), Status.OK, "")
    display.finish(case("albert"), Status.FAILED, "broken")
    display._progress.refresh()
    display.stop()
    text = out.file.getvalue()
    for part in ("2/2 cases", "batch 1, 16 tokens", "repeat 1", "bert / albert", "failed: broken"):
        assert part in text
    assert "[1/2]" not in text


def test_the_results_stand_side_by_side(tmp_path):
    """Each metric has a row with every model's value, its spread and the ratio."""
    one, other = (c.id for c in pair())
    run = write_run(
        tmp_path / "run",
        pair(),
        {one: [[0.01], [0.01]], other: [[0.02], [0.02]]},
        {one: {"weight_bytes": [4e6]}, other: {"weight_bytes": [1e6]}},
    )
    out = screen()
    show_results(out, summarise(run), ratios(run))
    lines = out.file.getvalue().splitlines()
    latency = next(line for line in lines if "Latency" in line)
    assert "10.0 ms ±0.0%" in latency
    assert "20.0 ms ±0.0%" in latency
    assert "2.0000x [2.0000, 2.0000]" in latency or "2x" in latency
    assert "4.00 MB" in next(line for line in lines if "Weight bytes" in line)
    assert "random weights; ratios are albert / bert" in lines[-1]


def test_a_noisy_case_is_marked_in_the_results(tmp_path):
    """Beside its latency, so that nobody quotes the number without it; the quiet one has none."""
    one, other = (c.id for c in pair())
    wild = [0.01, 0.02, 0.01, 0.02]
    run = write_run(tmp_path / "run", pair(), {one: [[0.01] * 4] * 2, other: [wild] * 2})
    out = screen()
    show_results(out, summarise(run), ratios(run))
    marked = [line for line in out.file.getvalue().splitlines() if "noisy" in line]
    assert len(marked) == 1
    assert "Latency (median)" in marked[0]
    assert marked[0].count("noisy") == 1
    assert marked[0].index("10.0 ms") < marked[0].index("noisy")


def test_results_of_one_model_have_no_ratio(tmp_path):
    """A lone model is shown with its values alone."""
    run = write_run(tmp_path / "run", [case()], {case().id: [[0.01]]})
    out = screen()
    show_results(out, summarise(run), ratios(run))
    assert "10.0 ms" in out.file.getvalue()
    assert "ratio" not in out.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_many_models_stand_below_each_other(tmp_path, width):
    """Six names side by side fit no terminal: each has a line, with its ratio to the first."""
    names = ["bert", "albert-xxlarge-v2", "albert-base-v2", "other", "distilbert-base-uncased"]
    cases = [case(m) for m in names]
    times = {c.id: [[0.01 + i / 100] * 2, [0.01 + i / 99] * 2] for i, c in enumerate(cases)}
    run = write_run(tmp_path / "run", cases, times)
    out = Console(file=StringIO(), width=width)
    show_results(out, summarise(run), ratios(run))
    lines = out.file.getvalue().splitlines()
    assert lines[0].split() == ["value", "/", "bert"]
    assert lines[1] == "latency: batch 1, 16 tokens (cpu)"
    assert lines[2].split() == ["Latency", "(median)"]
    assert [line.split()[0] for line in lines[3:8]] == names
    assert lines[3].split()[:3] == ["bert", "10.0", "ms"]
    assert " ".join(lines[4].split()[1:3]) == "20.1 ms"
    assert " 2.01x [" in lines[4]
    assert not any("…" in line or len(line) > width for line in lines)


def test_a_plan_shows_what_it_costs():
    """`bench list` ends with cases, processes and minutes."""
    out = screen()
    cases = [*pair(), *pair(seq_len=8)]
    show_plan(out, cases, estimate(cases, [BERT, ALBERT], Sampling(processes=3, budget_s=30)))
    lines = out.file.getvalue().splitlines()
    assert len(lines) == 4
    assert "4 cases in 3 worker processes, at most about 3 minutes" in lines[-1]


def test_a_plan_of_one_is_said_in_the_singular():
    """One case, one process, one minute."""
    console, one = screen(), [case(measure=Measure.STATIC)]
    show_plan(console, one, estimate(one, (BERT,), Sampling()))
    assert "1 case in 1 worker process, at most about 1 minute (" in console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_gains_are_never_cut_off(width):
    """In a narrow window names are folded; what has no column in a table costs it no room."""
    facts = {"suite": "variants", "model": "bert-base-uncased", "device": "cpu", "setting": ""}
    compiled = Gain(
        **facts,
        case="",
        workload=Workload(1, 128),
        label="float32 sdpa compile-max-autotune",
        reference="float32 eager",
        threads=2,
        speed=1.234,
        low=1.2,
        high=1.3,
        latency_s=0.1,
        error=1e-7,
        compile_s=12.0,
        artifact=438e6,
    )
    scaled = replace(
        compiled, label="2 threads", reference="1 thread", compile_s=None, artifact=None, error=None
    )
    out = Console(file=StringIO(), width=width)
    show_gains(out, [compiled, scaled])
    first, second = out.file.getvalue().split("speed against ")[1:]
    assert "…" not in first + second
    assert all(word in first for word in ("1.23x [1.20, 1.30]", "12.0 s", "438 MB", "1e-07"))
    assert " ".join(second.split()) == (
        "1 thread run as model batch tokens latency speed "
        "2 threads BERT 1 128 100 ms 1.23x [1.20, 1.30]"
    )
