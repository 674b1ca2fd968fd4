"""What the page opens with claims no more than its intervals."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
from fakes import case
from fakes import write_run as write_cases
from pages import SMALL, Page, page
from synthetic import ALBERT, SUITES, write_run
from variant_runs import COMPILED, variant, view

from bench.core.axes import REFERENCE
from bench.report import write_report
from bench.report.verdict import verdict
from bench.report.view import View


def test_the_verdict_claims_no_more_than_its_intervals(tmp_path):
    """Where every interval holds 1, the page says within how much they are, or that it is open."""
    _, found = page(tmp_path, replace(SMALL, slowdown=0.0, noise=0.05))
    assert "as fast as BERT within" in found.text or "may be slower or faster" in found.text
    assert "% slower than" not in found.text
    assert "no difference" not in found.text


def test_wide_intervals_say_that_the_faster_one_is_not_known(tmp_path):
    """A wide interval around 1 excludes nothing; the page does not report it as equality."""
    run = write_run(tmp_path / "run", replace(SMALL, slowdown=0.0))
    path = run / "samples.csv"
    samples = pd.read_csv(path)
    # In one process the other model is slowed down threefold, in the next one sped up.
    factor = samples["process"].map({1: 3.0, 2: 1 / 3, 3: 1.0})
    other = samples["case"].str.contains(ALBERT.name)
    samples["wall_s"] = samples["wall_s"].where(~other, samples["wall_s"] * factor).round(9)
    samples.to_csv(path, index=False)
    shown = Page(write_report([run], tmp_path / "report").read_text(encoding="utf-8")).text
    assert "ALBERT is the smaller model; which is faster is not known yet" in shown
    assert "ALBERT may be slower or faster than BERT" in shown
    assert "bench doctor" in shown


def test_where_memory_tells_another_story_at_large_batches_the_verdict_says_so(tmp_path):
    """The advantage at the usual workload is not sold without what becomes of it."""
    suites = {"parameters": SUITES["parameters"], "memory": SUITES["memory"]}
    _, found = page(tmp_path, replace(SMALL, suites=suites))
    assert re.search(
        r"peak RSS at batch 1, 128 tokens: 0\.\d+× \[[^]]+\] that of BERT, "
        r"but 1\.\d+×( \[[^]]+\])? at batch 32, 512 tokens",
        found.text,
    )


def test_a_run_that_compared_ways_and_no_models_opens_with_the_best_of_them(tmp_path):
    """It does not claim that nothing was timed."""
    ways = [variant(way, m) for m in ("bert", "albert") for way in (REFERENCE, COMPILED)]
    seen = view(tmp_path, {one: 0.5 if one.variant == COMPILED else 1.0 for one in ways})
    said = " ".join(verdict(seen).sentences)
    assert "bert runs fastest as float32 sdpa compile-default: 2.00×" in said
    assert "albert runs fastest as" in said


def test_no_model_is_called_faster_where_the_usual_workload_is_not_known(tmp_path):
    """Headline and advice say no more than the sentence between them."""
    bert, albert = ({n: case(m, seq_len=n) for n in (8, 16)} for m in ("bert", "albert"))
    walls = {one.id: [[1.0] * 4] * 3 for one in bert.values()}
    walls |= {albert[8].id: [[0.9] * 4] * 3, albert[16].id: [[t] * 4 for t in (0.5, 1.0, 2.0)]}
    write_cases(tmp_path / "run", [*bert.values(), *albert.values()], walls)
    found = verdict(View.of(tmp_path / "run"))
    assert found.headline == "albert is faster at some workloads than bert"
    assert "slower or faster than bert: not known at batch 1, 16" in found.sentences[0]
    assert "where it is ahead" in found.sentences[1]
