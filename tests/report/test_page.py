"""The page: answer first, honest about what is missing, and nothing from a CSV is markup."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from synthetic import ALBERT, BERT, SUITES, Plan, write_run

from bench.cli import report as command
from bench.core.architecture import Model
from bench.core.axes import REFERENCE, Dtype, Variant
from bench.core.case import Measure
from bench.core.errors import UsageError
from bench.report import figure_names, plot, write_report
from bench.results import csv_format
from bench.results import schema as tables
from suites.models import ALBERT_BASE, BERT_BASE

SMALL = Plan(
    suites={
        "parameters": (Measure.STATIC, ((1, 128),)),
        "memory": (Measure.MEMORY, ((1, 128), (8, 128))),
        "latency": (Measure.FORWARD, ((1, 32), (1, 128))),
        "throughput": (Measure.FORWARD, ((4, 128),)),
    },
    repeats=3,
    rounds=6,
)
LATENCY = {"latency": SMALL.suites["latency"]}
ALBERT_CASE = "latency/albert-base-v2/cpu/float32/sdpa/t2/b1/s32"


class Page(HTMLParser):
    """What a page says, apart from how: text, links, ids, headings."""

    def __init__(self, source):
        super().__init__()
        self.text, self.tags, self.ids, self.hrefs, self.headings = "", [], [], [], []
        self._inside = None
        self.feed(source)
        self.text = re.sub(r"\s+", " ", self.text.replace("\u00a0", " "))

    def handle_starttag(self, tag, attrs):
        """Note ids, links and headings."""
        found = dict(attrs)
        self.tags.append((tag, found))
        self._inside = tag
        self.ids += [found["id"]] if "id" in found else []
        self.hrefs += [found["href"]] if "href" in found else []
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_data(self, data):
        """Keep what a reader sees."""
        if self._inside not in ("style", "script"):
            self.text += data

    def handle_endtag(self, _tag):
        """What follows is outside."""
        self._inside = None


def page(tmp_path, *plans):
    """The page of runs made to these plans: its source and what it says."""
    runs = [write_run(tmp_path / f"run{i}", plan) for i, plan in enumerate(plans)]
    source = write_report(runs, tmp_path / "report").read_text(encoding="utf-8")
    return source, Page(source)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The page of a small clean run, for tests that only read it: source, content, folder."""
    folder = tmp_path_factory.mktemp("small")
    return (*page(folder, SMALL), folder)


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


def test_what_memory_was_not_counted_at_is_called_an_extrapolation(small, tmp_path):
    """Where the lines meet beyond the largest forward counted, the title says so."""
    title = "ALBERT needs more memory than BERT above about 17,800 tokens in one forward"
    assert f"By extrapolation, {title}" in small[1].text
    assert "The largest forward counted here had 1,024 tokens." in small[1].text
    measured = {**SMALL.suites, "memory": (Measure.MEMORY, ((1, 128), (64, 512)))}
    _, found = page(tmp_path, replace(SMALL, suites=measured))
    assert "Above about 17,800 tokens in one forward, ALBERT needs more" in found.text
    assert "By extrapolation" not in found.text


def test_cases_of_a_text_and_of_kinds_without_columns_of_their_own_are_listed(tmp_path):
    """Every case stands in a table, whatever was measured."""
    suites = {**LATENCY, "text": (Measure.TEXT, ((1, 0),))}
    source, found = page(tmp_path, replace(SMALL, suites=suites))
    assert "Cases on a text (2)" in found.text
    assert "Words/s" in found.text
    run = write_run(tmp_path / "other", replace(SMALL, suites=LATENCY))
    path = run / "cases.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",forward,", ",something_new,"))
    source = write_report([run], tmp_path / "later").read_text(encoding="utf-8")
    assert "Cases measured as something new (4)" in source
    assert "Latency (median), ms" in source


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


def test_a_percentile_without_enough_samples_is_not_shown(small):
    """36 samples allow p90 (29) and neither p95 (59) nor p99 (299)."""
    heads = re.findall(r"<th[^>]*>([^<]+)</th>", small[0])
    assert "p90, ms" in heads
    assert "p95, ms" not in heads
    assert "p99, ms" not in heads


def test_a_lint_that_fires_is_shown(tmp_path):
    """A doubt about our own numbers stands at the top, with its case."""
    run = write_run(tmp_path / "run", SMALL)
    path = run / "measurements.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("flops_counted,1,22348431360", "flops_counted,1,22348431359"))
    shown = Page(write_report([run], tmp_path / "report").read_text(encoding="utf-8")).text
    assert "These numbers cannot all be right." in shown
    assert "22348431359 FLOPs were counted where the formula gives 22348431360" in shown


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
        pytest.param(replace(SMALL, repeats=1, rounds=1, block=1), id="one sample"),
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
    assert shown.index("Busy machine.") > shown.index("Environment, and what disturbed")


def test_what_several_runs_share_is_said_once_and_the_verdict_names_its_run(tmp_path):
    """Equal notices stand together, and the reader knows which run the top of the page is about."""
    later = replace(SMALL, suites=LATENCY, started="2026-11-25T03:33:56Z")
    plans = (replace(SMALL, suites=LATENCY), later, replace(later, state="interrupted"))
    _, found = page(tmp_path, *plans)
    assert found.text.count("Random weights.") == 1
    assert "All runs: Random weights." in found.text
    assert "run2: Unfinished run." in found.text
    assert "run2, the newest of 3 runs" in found.text


def test_figures_of_several_contexts_say_which_is_theirs(tmp_path):
    """The same figure for another dtype does not have the same title."""
    variants = (Variant(), Variant(dtype=Dtype.BFLOAT16))
    source, _ = page(tmp_path, replace(SMALL, suites=LATENCY, variants=variants))
    titles = re.findall(r"<h3[^>]*>(On cpu, [^:]+):", source)
    assert titles == ["On cpu, float32, 2 threads", "On cpu, bfloat16, 2 threads"] * 2


def saved(source):
    """The files that a page's links give: by name their kind and contents."""
    links = re.findall(r'<a href="data:([\w/]+);base64,([^"]+)" download="([^"]+)"', source)
    return {name: (kind, base64.b64decode(html.unescape(data))) for kind, data, name in links}


def test_downloaded_tables_are_written_as_those_of_the_run(tmp_path):
    """No formula in them computes, and bench itself reads them back."""
    formula = Model("=cmd|x", "x/y", BERT_BASE)
    found = saved(page(tmp_path, replace(SMALL, models=(formula, ALBERT)))[0])
    for table, column in (("summary", "model"), ("ratios", "reference")):
        data = found[f"run0-{table}.csv"][1]
        assert b",'=cmd|x," in data
        assert "=cmd|x" in set(csv_format.decode(data, tables.TABLES[table])[column])


def test_downloads_hold_the_run_s_files(tmp_path):
    """Each link gives back the file, compressed where that was said."""
    run = write_run(tmp_path / "run", replace(SMALL, repeats=5, rounds=60))
    for table in ("rounds", "gemm"):
        text = csv_format.encode(tables.TABLES[table], [], header=True)
        (run / f"{table}.csv").write_text(text, encoding="utf-8")
    source = write_report([run], tmp_path / "report").read_text(encoding="utf-8")
    found = saved(source)
    assert found["run-cases.csv"] == ("text/csv", (run / "cases.csv").read_bytes())
    kind, data = found["run-samples.csv.gz"]
    assert kind == "application/gzip"
    assert gzip.decompress(data) == (run / "samples.csv").read_bytes()
    whole = {"run-ratios.csv", "run-environment.json", "run-rounds.csv", "run-gemm.csv"}
    assert whole <= set(found)
    assert {"run-summary.csv", "run-summary.csv.gz"} & set(found)


def test_two_runs_are_compared_with_the_verdicts_of_the_command(tmp_path):
    """The newest against the one before it: what got worse first, and the rule beside it."""
    source, found = page(tmp_path, SMALL, replace(SMALL, started="2026-11-25T03:33:56Z", seed=1))
    assert "What changed between the last two runs" in found.text
    assert "run1 (candidate) against run0 (baseline)" in found.text
    assert "within noise" in found.text
    assert found.ids.count("comparison-table") == 1
    assert 'href="#comparison"' in source
    _, alone = page(tmp_path / "alone", SMALL)
    assert "comparison-table" not in alone.ids


def test_runs_of_one_fingerprint_are_a_course_and_others_stand_side_by_side(tmp_path):
    """Seconds of runs that cannot be compared are never put in one course."""
    later = replace(SMALL, started="2026-11-25T03:33:56Z", seed=1)
    source, found = page(tmp_path, SMALL, later)
    assert "The runs over time" in found.text
    assert "have the same fingerprint" in found.text
    rows = re.findall(r'<th scope="row">(run\d)</th>', source)
    assert rows == ["run0", "run1"]
    _, found = page(tmp_path / "b", SMALL, replace(later, cpu="Another CPU"))
    assert "The runs side by side" in found.text
    assert "The fingerprints differ (cpu)" in found.text
    assert "is no regression" in found.text
    assert '<th scope="col" data-filter="Run">Run</th>' in source


def test_the_same_input_gives_the_same_page(small, tmp_path):
    """No random id, no date: pages can be compared."""
    again = write_report([small[2] / "run0"], tmp_path)
    assert again.read_text(encoding="utf-8") == small[0]


def test_reporting_and_plotting_refuse_what_is_not_a_run(tmp_path):
    """A wrong directory, no directory and an unknown figure are one clear line each."""
    with pytest.raises(UsageError, match="no run at"):
        write_report([tmp_path / "none"], tmp_path / "report")
    with pytest.raises(UsageError, match="no run to report on"):
        write_report([], tmp_path / "report")
    run = write_run(tmp_path / "run", replace(SMALL, suites=LATENCY))
    with pytest.raises(UsageError, match="no figure 'x': choose from accuracy"):
        plot(run, "x", tmp_path)
    with pytest.raises(UsageError, match="has nothing to draw 'memory' from"):
        plot(run, "memory", tmp_path)


def test_a_page_of_many_runs_has_a_name_that_a_directory_can_have(tmp_path, monkeypatch, capsys):
    """Where all their names are too many, the last one stands for the others."""
    monkeypatch.chdir(tmp_path)
    plan = replace(SMALL, suites={"parameters": SMALL.suites["parameters"]})
    runs = [write_run(tmp_path / f"{'n' * 100}{i}", plan) for i in range(3)]
    command.report(runs[:2], None)
    command.report(runs, None)
    names = [line.split("/")[1] for line in capsys.readouterr().out.splitlines()]
    assert names == [f"{runs[0].name}+{runs[1].name}", f"{runs[2].name}+2"]


def test_plot_writes_one_figure_as_svg_and_png(tmp_path):
    """The files stand alone: a title, text that is text, white paper, no style attribute."""
    run = write_run(tmp_path / "run", SMALL)
    vector, bitmap = plot(run, "latency", tmp_path / "out")
    assert bitmap.read_bytes().startswith(b"\x89PNG")
    text = vector.read_text(encoding="utf-8")
    assert ">Sequence length, tokens</text>" in text
    assert "slower at" in text
    assert "style=" not in text


def test_every_figure_is_written_with_the_page(small):
    """`figures/` holds an SVG and a PNG of each; those of ways to run need a run that has some."""
    names = {p.name for p in (small[2] / "report" / "figures").iterdir()}
    usual = set(figure_names()) - {"variants", "scaling", "family"}  # see test_report_ways.py
    assert names == {f"{n}.{kind}" for n in usual for kind in ("svg", "png")}


def test_names_of_figures_cost_no_drawing_library():
    """`bench --help` can list figures without matplotlib, and a report never imports torch."""
    code = "import sys, bench.report; print({'matplotlib', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


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


def test_pretrained_weights_are_shown_at_work(tmp_path):
    """Words that each model fills in stand on the page as text, with their probabilities."""
    folder = write_run(tmp_path / "run", SMALL)
    path = folder / "environment.json"
    environment = json.loads(path.read_text(encoding="utf-8"))
    predictions = [{"token": " <b>paris", "score": 0.84}, {"token": "lyon", "score": 0.02}]
    environment["sanity"] = {BERT.name: [{"text": "It is [MASK].", "predictions": predictions}]}
    path.write_text(json.dumps(environment), encoding="utf-8")
    found = Page(write_report([folder], tmp_path / "report").read_text(encoding="utf-8"))
    assert "Real weights at work" in found.text
    assert "It is [MASK]." in found.text
    assert "<b>paris (84%), lyon (2%)" in found.text
