"""The table at the end of a run: what stands in it, at every width."""

from io import StringIO

import pytest
from fakes import case, pair, write_run
from rich.console import Console
from tables import ALBERT, BERT, TIMES, outcome

from bench.core.axes import Dtype
from bench.stats.ratios import ratios
from bench.stats.summary import summarise
from bench.terminal.results import show_results


def shown(found, width=80):
    """The lines of the table of an outcome."""
    out = Console(file=StringIO(), width=width)
    show_results(out, found.summary, found.ratios)
    return out.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_each_workload_has_one_row_with_its_verdict(width):
    """Batch x tokens, both models, the ratio with its interval, and the word."""
    lines = shown(outcome(), width)
    start = next(i for i, line in enumerate(lines) if line.startswith("Time of a forward"))
    rows = lines[start + 1 : start + 1 + len(TIMES)]
    assert [line.split()[:3] for line in rows] == [[str(b), "x", str(t)] for b, t in TIMES]
    verdicts = ["slower", "slower", "slower", "within 4 %", "not known"]
    assert all(line.endswith(word) for line, word in zip(rows, verdicts, strict=True))
    assert "(median; 5 processes each)" in lines[start]
    assert max(map(len, lines)) <= width


def test_no_row_is_repeated():
    """Weights stand in two suites and four workloads, and are printed once."""
    lines = [line for line in shown(outcome()) if line.strip()]
    assert len(lines) == len(set(lines))
    assert sum("weights" in line for line in lines) == 1
    assert not any("hroughput" in line for line in lines)


def test_what_is_counted_has_no_interval_and_no_verdict():
    """A peak of memory of one process has no interval either, and says less."""
    lines = shown(outcome())
    assert next(line for line in lines if "stored" in line).endswith("0.107x")
    flops = next(line for line in lines if "FLOPs 1 x 128" in line)
    assert flops.endswith("1.001x")
    peak = next(line for line in lines if "470 MB" in line)
    assert peak.split()[-2:] == ["0.167x", "less"]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("more", [1, 4])
def test_many_models_stand_below_each_other(width, more):
    """A line for each, named in full where there is room, and never broken."""
    names = [BERT, ALBERT, "albert[v1]", "y" * 40, "distilbert-base-uncased", "z" * 39]
    lines = shown(outcome(names[: 2 + more]), width)
    assert max(map(len, lines)) <= width
    assert sum("albert[v1]" in line for line in lines) == 5 + len(TIMES) + 2
    time = lines.index("Time of a forward (median; 5 processes each)")
    assert lines[time + 1].split() == ["1", "x", "32"]
    assert [line.split()[0] for line in lines[time + 2 : time + 5]] == [
        "BERT",
        "ALBERT",
        "albert[v1]",
    ]


def test_without_room_spreads_give_way_before_the_models_part():
    """A narrow window keeps the comparison side by side."""
    lines = shown(outcome(), 76)
    assert max(map(len, lines)) <= 76
    assert not any("±" in line for line in lines)
    assert any("69.3 ms" in line and "70.0 ms" in line for line in lines)


def test_each_variant_has_a_section_and_what_is_equal_stands_once(tmp_path):
    """Parameters are the same in every dtype: the section of the second leaves them out."""
    cases = [c for d in (Dtype.FLOAT32, Dtype.BFLOAT16) for c in pair(dtype=d)]
    run = write_run(
        tmp_path / "run",
        cases,
        {c.id: [[0.01], [0.01], [0.01]] for c in cases},
        {
            c.id: {"stored_parameters": [1e6], "weight_bytes": [4e6 if i < 2 else 2e6]}
            for i, c in enumerate(cases)
        },
    )
    out = Console(file=StringIO(), width=80)
    show_results(out, summarise(run), ratios(run))
    text = out.file.getvalue()
    assert text.count("parameters stored") == 1
    assert text.count("weights") == 2
    assert "Time of a forward (bfloat16; median; 3 processes each)" in text


def test_results_of_one_model_have_no_ratio(tmp_path):
    """A lone model is shown with its values alone."""
    run = write_run(tmp_path / "run", [case()], {case().id: [[0.01]]})
    out = Console(file=StringIO(), width=80)
    show_results(out, summarise(run), ratios(run))
    assert "10.0 ms" in out.file.getvalue()
    assert "Ratio" not in out.file.getvalue()


def test_a_model_without_a_result_has_a_dash(tmp_path):
    """The other's value stands as it is."""
    run = write_run(
        tmp_path / "run", pair(), {case().id: [[0.01]]}, {case("albert").id: {"flops": [1e9]}}
    )
    out = Console(file=StringIO(), width=80)
    show_results(out, summarise(run), ratios(run))
    row = next(line for line in out.file.getvalue().splitlines() if "10.0 ms" in line)
    assert row.split()[-1] == "-"
