"""What a reader must know before any number stands at the top."""

from __future__ import annotations

import json
from dataclasses import replace

from pages import ALBERT_CASE, LATENCY, SMALL, Page, page
from synthetic import ALBERT, BERT, write_run

from bench.report import write_report


def test_random_and_mixed_weights_are_said_at_the_top(small, tmp_path):
    """Before any number, the reader learns which models had random weights."""
    found = small[1]
    assert found.text.index("Random weights.") < found.text.index("Stored parameters")
    mixed = replace(SMALL, weights={BERT.name: "pretrained"})
    _, found = page(tmp_path, mixed)
    assert "Mixed weights. ALBERT ran with random weights" in found.text
    assert "BERT had pretrained weights." in found.text
    both = dict.fromkeys((BERT.name, ALBERT.name), "pretrained")
    _, found = page(tmp_path / "c", replace(SMALL, weights=both))
    assert "Random weights." not in found.text


def test_failed_and_unfinished_cases_are_named_with_their_reason(tmp_path):
    """What is missing stands at the top and in the table, never as an absence."""
    missing = "throughput/bert-base-uncased/cpu/float32/sdpa/t2/b4/s128"
    plan = replace(
        SMALL,
        failed={ALBERT_CASE: ("timed-out", "no sign of life for 600 s")},
        unfinished=(missing,),
        state="interrupted",
    )
    source, found = page(tmp_path, plan)
    assert f"1 case failed. {ALBERT_CASE} (timed-out: no sign of life for 600 s)" in found.text
    assert f"1 planned case not finished. {missing}" in found.text
    assert "bench run --resume" in found.text
    assert "<td>timed-out</td>" in source
    assert "<td>not finished</td>" in source


def test_the_way_to_finish_a_run_can_be_typed_as_it_stands(tmp_path):
    """A directory of two words is one argument."""
    run = write_run(tmp_path / "two words", replace(SMALL, suites=LATENCY, state="interrupted"))
    found = Page(write_report([run], tmp_path / "report").read_text(encoding="utf-8"))
    assert f"bench run --resume '{run}'" in found.text


def test_a_lint_that_fires_is_shown(tmp_path):
    """A doubt about our own numbers stands at the top, with its case."""
    run = write_run(tmp_path / "run", SMALL)
    path = run / "measurements.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("flops_counted,1,22348431360", "flops_counted,1,22348431359"))
    shown = Page(write_report([run], tmp_path / "report").read_text(encoding="utf-8")).text
    assert "These numbers cannot all be right." in shown
    assert "22348431359 FLOPs were counted where the formula gives 22348431360" in shown


def test_weights_at_work_noise_and_discarded_rounds_are_shown(tmp_path):
    """What the run verified and what it said of its own noise reach the reader."""
    run = write_run(tmp_path / "run", replace(SMALL, suites=LATENCY))
    path = run / "environment.json"
    environment = json.loads(path.read_text(encoding="utf-8"))
    guess = {"text": "Paris is [MASK].", "predictions": [{"token": "<i>big</i>", "score": 0.5}]}
    environment["sanity"] = {BERT.name: [guess]}
    environment["warnings"] = ["noisy: two of two cases", "discarded: one round", "busy machine"]
    path.write_text(json.dumps(environment), encoding="utf-8")
    shown = Page(write_report([run], tmp_path / "report").read_text(encoding="utf-8")).text
    assert "<i>big</i> (50%)" in shown
    assert shown.count("Paris is [MASK].") == 1
    assert "Noisy. Two of two cases." in shown
    assert "Discarded. One round." in shown
    assert shown.index("Busy machine.") > shown.index("Environment and disturbances")


def test_what_several_runs_share_is_said_once_and_the_verdict_names_its_run(tmp_path):
    """Equal notices stand together, and the reader knows which run the top of the page is about."""
    later = replace(SMALL, suites=LATENCY, started="2026-11-25T03:33:56Z")
    plans = (replace(SMALL, suites=LATENCY), later, replace(later, state="interrupted"))
    _, found = page(tmp_path, *plans)
    assert found.text.count("Random weights.") == 1
    assert "All runs: Random weights." in found.text
    assert "run2: Unfinished run." in found.text
    assert "run2, the newest of 3 runs" in found.text
