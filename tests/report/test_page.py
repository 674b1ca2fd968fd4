"""The page: answer first, whole in itself, and nothing from a CSV is markup."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from pages import LATENCY, SMALL, page
from synthetic import ALBERT, BERT, SUITES, write_run

from bench.cli import report as command
from bench.core.architecture import Model
from bench.core.axes import REFERENCE, Dtype, Variant
from bench.report import write_report
from suites.models import ALBERT_BASE, BERT_BASE


def test_the_answer_comes_first_and_sections_follow_in_order(small):
    """Verdict, cards, figures, why, method, environment, cases, downloads."""
    source, found, _ = small
    assert "ALBERT is the smaller model, not the faster one" in found.text
    assert "stores 9.37× fewer parameters than BERT (11.7 M against 109 M)" in found.text
    wanted = ["verdict", "latency", "throughput", "memory", "parameters", "distribution"]
    wanted += ["accuracy", "why", "method", "environment", "cases", "downloads"]
    assert re.findall(r'<section id="([^"]+)"', source) == wanted
    cards = re.findall(r'<li class="card">\s*<h2>([^<]+)', source)
    assert cards == [
        "Stored parameters",
        "Weights on disk",
        "Peak memory",
        "Latency",
        "Throughput",
    ]


def test_the_page_is_whole_and_its_policy_allows_nothing_else(small):
    """Hashes fit the inline style and script; no style attribute, handler or outside address."""
    source, found, _ = small
    policy = html.unescape(re.search(r'Policy" content="([^"]+)"', source)[1])
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", source, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    for tag, attributes in found.tags:
        assert "style" not in attributes, tag
        assert not [a for a in attributes if a.startswith("on")], tag
        assert tag not in ("iframe", "object", "embed", "base")
    local = re.compile(r"#|data:|figures/[\w-]+\.(svg|png)$")
    assert all(local.match(href) for href in found.hrefs)
    assert not re.search(r"(src|url\()=?[\"']?(https?:)?//", source)


def test_ids_are_unique_links_lead_somewhere_and_headings_are_in_order(tmp_path):
    """What keyboards and screen readers stand on."""
    _, found = page(tmp_path, SMALL, replace(SMALL, started="2026-11-25T03:33:56Z"))
    assert len(found.ids) == len(set(found.ids))
    assert {h[1:] for h in found.hrefs if h.startswith("#")} <= set(found.ids)
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    steps = zip(found.headings, found.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)


@pytest.mark.rendered
def test_text_from_a_csv_is_never_markup(tmp_path):
    """Markup, quotes, formulas, newlines and other scripts in names and reasons stay text."""
    evil = Model("<script>alert(1)</script>", "x/<b>", BERT_BASE)
    odd = Model("$\\frac$ \"'&amp; 模型 " + "long" * 60, "x/y", ALBERT_BASE)
    case = f"latency/{evil.name.replace('/', '--')}/cpu/float32/sdpa/t2/b1/s32"
    reason = "</td><img src=x onerror=alert(1)> & {{ 7*7 }}"
    plan = replace(SMALL, models=(evil, odd), failed={case: ("failed", reason)})
    source, found = page(tmp_path, plan)
    assert evil.name in found.text
    assert reason in found.text
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in found.tags]
    assert "{{ 7*7 }}" in found.text
    for figure in (tmp_path / "report" / "figures").glob("*.svg"):
        assert "<script" not in figure.read_text(encoding="utf-8")
    assert "alert(1)</script>" not in source


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(replace(SMALL, models=(BERT,)), id="one model"),
        pytest.param(
            replace(SMALL, models=(BERT, ALBERT, Model("third", "x/3", BERT_BASE))), id="three"
        ),
        pytest.param(
            replace(SMALL, models=tuple(Model(f"m{i}", "x", BERT_BASE) for i in range(9))),
            id="nine models",
        ),
        pytest.param(replace(SMALL, suites=LATENCY), id="latency alone"),
        pytest.param(
            replace(SMALL, suites={"parameters": SUITES["parameters"]}), id="parameters alone"
        ),
        pytest.param(replace(SMALL, suites={"memory": SUITES["memory"]}), id="memory alone"),
        pytest.param(
            replace(SMALL, processes=1, rounds=1, block=1),
            id="one sample",
            marks=pytest.mark.rendered,
        ),
        pytest.param(
            replace(
                SMALL,
                devices=("cpu", "cuda"),
                variants=(
                    Variant(),
                    Variant(dtype=Dtype.BFLOAT16),
                    REFERENCE,
                ),
            ),
            id="six contexts",
        ),
        pytest.param(
            replace(SMALL, failed={c.id: ("failed", "no") for c in SMALL.cases()}), id="all failed"
        ),
        pytest.param(
            replace(SMALL, unfinished=tuple(c.id for c in SMALL.cases())), id="nothing finished"
        ),
        pytest.param(
            replace(
                SMALL,
                failed={c.id: ("killed", "signal 9") for c in SMALL.cases() if BERT.name in c.id},
            ),
            id="no reference",
        ),
    ],
)
def test_every_shape_of_run_gives_a_page(tmp_path, plan):
    """Few or many models, suites missing, many contexts, nothing measured: a page all the same."""
    source, found = page(tmp_path, plan)
    assert found.headings.count(1) == 1
    assert "nan" not in re.sub(r"<style>.*?</style>", "", source, flags=re.DOTALL).lower().split()
    assert source.count('<table id="cases-') >= 1


def test_a_missing_suite_is_named_with_the_command_for_it(tmp_path):
    """Where a section has no data it says which command measures it."""
    _, found = page(tmp_path, replace(SMALL, suites=LATENCY))
    assert "No memory was measured in this run: bench run memory." in found.text
    assert "not measured: bench run parameters" in found.text


@pytest.mark.rendered
def test_the_same_input_gives_the_same_page(small, tmp_path):
    """No random id, no date: pages can be compared."""
    again = write_report([small[2] / "run0"], tmp_path)
    assert again.read_text(encoding="utf-8") == small[0]


def test_a_page_of_many_runs_has_a_name_that_a_directory_can_have(tmp_path, monkeypatch, capsys):
    """Where all their names are too many, the last one stands for the others."""
    monkeypatch.chdir(tmp_path)
    plan = replace(SMALL, suites={"parameters": SMALL.suites["parameters"]})
    runs = [write_run(tmp_path / f"{'n' * 100}{i}", plan) for i in range(3)]
    command.report(runs[:2], None)
    command.report(runs, None)
    names = [line.split("/")[1] for line in capsys.readouterr().out.splitlines()]
    assert names == [f"{runs[0].name}+{runs[1].name}", f"{runs[2].name}+2"]


@pytest.mark.process
def test_a_report_is_made_without_torch(tmp_path):
    """Reading, computing and drawing need no torch."""
    run = write_run(tmp_path / "run", replace(SMALL, suites=LATENCY))
    code = (
        "import sys; from pathlib import Path; from bench.report import write_report;"
        f"write_report([Path({str(run)!r})], Path({str(tmp_path / 'out')!r}));"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
