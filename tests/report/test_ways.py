"""Page parts about ways to run models: variants, threads, families, launches, largest batches."""

import random
from dataclasses import asdict, replace

import pandas as pd
import pytest
from fakes import QueueClock, QueueCuda, case, write_run

from bench.core.axes import REFERENCE, Backend, Compile, Dtype, Variant
from bench.core.case import Compares, Measure
from bench.report import capacity, cards, write_report
from bench.report import several_runs as runs
from bench.report.drawing.canvas import style
from bench.report.figures import course, family, latency, scaling, variants, work
from bench.report.figures import ratios as every_ratio
from bench.report.questions import answers
from bench.report.verdict import verdict
from bench.report.view import View
from bench.results import store as records
from bench.stats.summary import summarise
from bench.wording.sentences import launch_bound
from bench.worker.sampler import Limits, Sampler

COMPILED = Variant(compile=Compile.DEFAULT)
STORED = {"bert": 100.0, "albert": 10.0, "bert-tiny": 20.0}


def variant(of, model="bert"):
    """A case of the suite that compares variants."""
    one = case(model, suite="variants", seq_len=128)
    return replace(one, variant=of, compares=Compares.VARIANTS)


def threads(number, model="bert"):
    """A case of the suite that compares threads."""
    return replace(case(model, suite="scaling", threads=number), compares=Compares.THREADS)


def view(tmp_path, seconds, measured=None):
    """A run in which each case takes so many seconds, in three processes of four rounds."""
    walls = {one.id: [[s] * 4, [s * 1.001] * 4, [s] * 4] for one, s in seconds.items()}
    write_run(tmp_path / "run", list(seconds), walls, measured)
    return View.of(tmp_path / "run")


def drawn(draw, seen):
    """A figure, in the page's style."""
    with style():
        return draw(seen, seen.contexts[0])


def test_the_figure_of_variants_says_which_is_best_for_each_model(tmp_path):
    """Its title is the conclusion; the reference is named on the axis."""
    seconds = {variant(REFERENCE): 1.0, variant(COMPILED): 0.5}
    seconds |= {variant(REFERENCE, "albert"): 1.0, variant(COMPILED, "albert"): 0.25}
    found = drawn(variants.draw, view(tmp_path, seconds))
    assert found.title == (
        "At batch 1, 128 tokens bert runs fastest as float32 sdpa compile-default (2.00×), "
        "albert as float32 sdpa compile-default (4.00×)"
    )
    assert found.figure.axes[0].get_xlabel() == "× as fast as float32 eager (log)"


def test_variants_that_are_no_faster_are_said_not_to_be(tmp_path):
    """Slower is no speed-up."""
    found = drawn(variants.draw, view(tmp_path, {variant(REFERENCE): 1.0, variant(COMPILED): 1.5}))
    assert "no variant is known to be faster than float32 eager" in found.title


def test_the_figure_of_threads_says_how_much_of_a_perfect_speed_up_they_bring(tmp_path):
    """2.5 times as fast on four threads is 62 %; how busy each of them is, is another matter."""
    seconds = {threads(1): 1.0, threads(2): 0.6, threads(4): 0.4}
    found = drawn(scaling.draw, view(tmp_path, seconds))
    assert found.title == (
        "At batch 1, 16 tokens bert runs 2.50× as fast on 4 threads as on one: "
        "62 % of a perfect speed-up"
    )


def test_the_figure_of_a_family_needs_three_models(tmp_path):
    """Latency against what is stored; sizes of a family belong together by name."""
    seconds = {case("bert"): 1.0, case("albert"): 1.1}
    measured = {one.id: {"stored_parameters": [1e6 * STORED[one.model]] * 2} for one in seconds}
    assert drawn(family.draw, view(tmp_path / "two", seconds, measured)) is None
    tiny = case("bert-tiny")
    measured[tiny.id] = {"stored_parameters": [20e6] * 2}
    found = drawn(family.draw, view(tmp_path / "three", {**seconds, tiny: 0.1}, measured))
    assert found.title == (
        "albert stores 10.0× fewer parameters than bert, and a forward of it takes 1.10× as long"
    )


@pytest.mark.parametrize(
    ("model", "kin"),
    [
        ("bert-tiny", "bert"),
        ("bert-large-uncased", "bert"),
        ("albert-xxlarge-v2", "albert"),
        ("distilbert-base-uncased", "distilbert"),
        ("owner/roberta-base", "roberta"),
        ("my-encoder", "my-encoder"),
    ],
)
def test_a_family_is_a_name_up_to_its_size(model, kin):
    """Xlarge is not large."""
    assert family.family_of(model) == kin


DEVICE_S = 0.01


def on_a_gpu(directory, launch_s, *, waits):
    """A run of one case on CUDA: the device takes 10 ms, the host so long to launch them.

    The samples are a real sampler's, over a device whose queue is worked off beside the host's
    clock; `waits` puts a look at the device into every forward, as transformers has one.
    """
    one, cuda = case(device="cuda"), QueueCuda()
    sampler = Sampler(QueueClock(cuda, "cuda"), random.Random(0), Limits(1.0, 1e-9))

    def forward():
        if waits:
            cuda.synchronize("cuda")  # on what is queued before it: the mask itself is tiny
        cuda.launch(launch_s, DEVICE_S)

    write_run(directory, [one])
    writer = records.open_run(directory, resume=True)
    for repeat in (1, 2):
        cuda.launch(5.0, 0.0)  # the libraries are set up
        warm = sampler.warm_up(one.id, forward)
        found = sampler.rounds({one.id: forward}, {one.id: DEVICE_S})
        writer.append_batch("samples", one.id, repeat, [asdict(t) for t in warm + found[one.id]])
    writer.close()
    return records.read_run(directory)


@pytest.mark.parametrize("waits", [True, False])
def test_a_forward_that_the_host_launches_no_faster_is_said_to_be_bound_by_launches(
    tmp_path, waits
):
    """And one that it launches faster is not, though in rounds its host waits for the device."""
    (said,) = launch_bound(summarise(on_a_gpu(tmp_path / "slow", 0.0095, waits=waits)))
    assert said.startswith("bert (cuda) is bound by launches at batch 1, 16 tokens: ")
    assert "CUDA graphs (--compile reduce-overhead)" in said
    quick = on_a_gpu(tmp_path / "quick", 0.002, waits=waits)
    assert not set(summarise(quick)["metric"]) & {"cpu_time"}  # it waits for the device
    in_rounds = quick.samples.loc[quick.samples["phase"] == "sample", "host_s"]
    assert bool(in_rounds.max() > 0.8 * DEVICE_S) is waits
    assert launch_bound(summarise(quick)) == []


def test_each_variant_is_said_to_be_bound_by_launches_for_itself():
    """One that CUDA graphs have set free is not named with the others; graphs help no graph."""
    usual, half = Variant(), Variant(Dtype.FLOAT16)
    graphs = Variant(compile=Compile.REDUCE_OVERHEAD)
    variants = {
        usual: 0.005,
        half: 0.005,
        graphs: 0.0001,
        replace(graphs, dtype=Dtype.FLOAT16): 0.005,
    }
    rows = [
        {"metric": m, "value": v, "model": "bert", "device": "cuda", "batch_size": 1, "seq_len": 16}
        | one.columns
        | {"case": f"{suite}/{one}"}
        for one, host_s in variants.items()
        for suite in ("latency", "variants")
        for m, v in (("host_time", host_s), ("latency", 0.005))
    ]
    said = launch_bound(pd.DataFrame(rows))
    starts = [text.partition(" is bound by launches at batch 1, 16 tokens: ")[0] for text in said]
    assert starts == [
        "bert (cuda)",
        "bert (cuda, float16)",
        "bert (cuda, float16, compile-reduce-overhead)",
    ]
    assert ["CUDA graphs" in text for text in said] == [True, True, False]


def test_a_run_on_the_cpu_launches_nothing(tmp_path):
    """There is no time of a device to compare with."""
    one = case()
    run = write_run(tmp_path / "run", [one], {one.id: [[0.01] * 4] * 2})
    assert launch_bound(summarise(run)) == []


def speed_answer(tmp_path, models, seconds=(1.0, 1.0), encoders=((9e5, 9e5), (9e5, 9e5))):
    """The answer on the speed of the second of two models, which stores half as much.

    `encoders` is what each stores and applies in its encoder.
    """
    counted = [case(m, suite="parameters", measure=Measure.STATIC) for m in models]
    timed = dict(zip(map(case, models), seconds, strict=True))
    measured = {
        one.id: {
            "stored_parameters": [stored],
            "stored_parameters.encoder": [encoder[0]],
            "applied_parameters.encoder": [encoder[1]],
            "operators": [operators],
            "flops": [1e9],
        }
        for one, stored, encoder, operators in zip(
            counted, (2e6, 1e6), encoders, (100, 110), strict=True
        )
    }
    walls = {one.id: [[s] * 4, [s * 1.001] * 4] for one, s in timed.items()}
    seen = View.of(write_run(tmp_path / "run", [*counted, *timed], walls, measured).directory)
    return next((a for a in answers(seen) if "faster, with" in a.question), None)


@pytest.mark.parametrize(
    ("own", "reference", "start"),
    [
        ((1e5, 12e5), (12e5, 12e5), "Because sharing saves storage, not arithmetic. y stores one"),
        ((12e5, 12e5), (12e5, 12e5), "Both encoders apply 1.20 M parameters"),
        ((1e5, 12e5), (1e5, 12e5), "Both encoders apply 1.20 M parameters"),
    ],
)
def test_layers_are_called_shared_where_they_are(tmp_path, own, reference, start):
    """Encoders of equal size alone do not make one of them share its layers."""
    found = speed_answer(tmp_path, ("x", "y"), encoders=(reference, own))
    assert found.paragraphs[0].replace("\u00a0", " ").startswith(start)


@pytest.mark.parametrize(
    ("reference", "model", "said"),
    [
        ("bert-base-uncased", "albert-base-v2", True),
        ("bert-base-uncased", "albert-base-v2-fused", False),
        ("roberta-base", "albert-base-v2", False),
        ("bert-base-uncased", "bert-tiny", False),
    ],
)
def test_a_chain_of_operators_is_told_of_the_model_that_has_one(tmp_path, reference, model, said):
    """Not of its fused twin, nor against a model whose gelu is not known to be one."""
    found = speed_answer(tmp_path, (reference, model))
    assert any("gelu_new is a chain" in text for text in found.paragraphs) is said


@pytest.mark.parametrize(("seconds", "asked"), [(0.4, False), (0.6, True), (1.1, True)])
def test_nobody_asks_why_a_model_is_not_as_fast_as_it_is(tmp_path, seconds, asked):
    """Half the parameters in less than half the time leave nothing to wonder at."""
    found = speed_answer(tmp_path, ("x", "y"), seconds=(1.0, seconds))
    assert (found is not None) is asked


def implementation(tmp_path, usual, fused, noise=1.001):
    """The answer on architecture and implementation of a model and its fused twin.

    In one of three processes both take `noise` times as long.
    """
    seconds = {case("bert"): 1.0, case("albert"): usual, case("albert-fused"): fused}
    walls = {
        one.id: [[s] * 4, [s * (1 if one.model == "bert" else noise)] * 4, [s] * 4]
        for one, s in seconds.items()
    }
    write_run(tmp_path / "run", list(seconds), walls)
    found = {a.question: a for a in answers(View.of(tmp_path / "run"))}
    return next(a.paragraphs[0] for q, a in found.items() if "implementation" in q)


def test_what_fusing_takes_away_is_implementation(tmp_path):
    """Of 20 % extra time it leaves 5: three quarters were implementation."""
    said = implementation(tmp_path, 1.2, 1.05)
    assert "takes 1.200× [1.199" in said
    assert "about 75 % of its extra time is implementation; the rest is architecture" in said


def test_an_extra_time_that_fusing_leaves_is_architecture(tmp_path):
    """The fused twin is no faster."""
    assert "fusing takes none of it away" in implementation(tmp_path, 1.2, 1.25)


def test_an_extra_time_that_fusing_ends_is_implementation(tmp_path):
    """The twin is as fast as the reference or faster."""
    said = implementation(tmp_path, 1.2, 0.97)
    assert "So its extra time is implementation: with the fused" in said


def test_without_an_extra_time_there_is_nothing_to_share_out(tmp_path):
    """The model is faster as it is."""
    assert "no extra time" in implementation(tmp_path, 0.9, 0.85)


@pytest.mark.parametrize(("usual", "fused"), [(1.2, 1.05), (1.2, 0.97), (0.9, 0.85)])
def test_of_wide_intervals_nothing_is_concluded(tmp_path, usual, fused):
    """A wide interval is no sign that there is no difference."""
    assert "the intervals are too wide" in implementation(tmp_path, usual, fused, noise=3.0)


def test_intervals_that_overlap_do_not_tell_how_much_fusing_takes(tmp_path):
    """Both are slower beyond doubt, and the one might be the other."""
    assert "intervals overlap" in implementation(tmp_path, 1.30, 1.29, noise=1.01)


@pytest.mark.parametrize(("size", "written"), [(4e6, "once."), (40e6, "once per application.")])
def test_the_size_of_an_export_is_said_where_it_was_measured(tmp_path, size, written):
    """And how often it holds the shared layer; otherwise it is said to be arithmetic."""
    counted = [case(m, suite="parameters", measure=Measure.STATIC) for m in ("bert", "albert")]
    exported = [variant(Variant(backend=Backend("onnxruntime")), m) for m in ("bert", "albert")]
    measured = {
        one.id: {"stored_parameters": [n], "applied_parameters": [1e7]}
        for one, n in zip(counted, (1e7, 1e6), strict=True)
    }
    without = View.of(write_run(tmp_path / "a", counted, None, measured).directory)
    (said,) = (a for a in answers(without) if "exported" in a.question)
    assert "no export was measured" in said.paragraphs[0]
    measured |= {
        one.id: {"artifact_bytes": [n]} for one, n in zip(exported, (41e6, size), strict=True)
    }
    seen = View.of(write_run(tmp_path / "b", [*counted, *exported], None, measured).directory)
    (said,) = (a for a in answers(seen) if "exported" in a.question)
    text = said.paragraphs[0].replace("\u00a0", " ")
    assert "no export was measured" not in text
    assert "onnxruntime takes 4" in text
    assert "(bert’s 41.0 MB)" in text
    assert text.endswith(f"holds the shared layer {written}")


def test_largest_batches_are_a_table_of_the_page(tmp_path):
    """With the limit, the memory used, and the ratio to the reference."""
    cases = [case(model, measure=Measure.CAPACITY, seq_len=512) for model in ("bert", "albert")]
    measured = {
        one.id: {
            "largest_batch": [batch],
            "capacity_peak_bytes": [0.98e9],
            "memory_limit_bytes": [1e9],
        }
        for one, batch in zip(cases, (4.0, 12.0), strict=True)
    }
    write_run(tmp_path / "run", cases, None, measured)
    table = capacity.table(View.of(tmp_path / "run"))
    assert [row[3:5] for row in table.rows] == [["4", ""], ["12", "3.00×"]]
    assert [cell.replace("\u00a0", " ") for cell in table.rows[0][5:]] == ["980 MB", "1.00 GB"]
    page = write_report([tmp_path / "run"], tmp_path / "page").read_text(encoding="utf-8")
    assert "Largest batch that fits" in page


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
    write_run(tmp_path / "run", [*bert.values(), *albert.values()], walls)
    found = verdict(View.of(tmp_path / "run"))
    assert found.headline == "albert is faster at some workloads than bert"
    assert "slower or faster than bert: not known at batch 1, 16" in found.sentences[0]
    assert "where it is ahead" in found.sentences[1]


def test_of_many_models_the_page_opens_with_three_and_a_table_has_all(tmp_path):
    """Neither sentences nor cards go on for pages."""
    names = [f"bert-{i}" for i in range(7)]
    seconds = {case(name): 1.0 + 0.1 * i for i, name in enumerate(names)}
    measured = {one.id: {"stored_parameters": [1e6], "weight_bytes": [4e6]} for one in seconds}
    seen = view(tmp_path, seconds, measured)
    said = verdict(seen).sentences
    assert said[-1].replace("\u00a0", " ") == "3 more models are in the table."
    assert not any("bert-4" in text for text in said)
    assert all(len(card.entries) == 3 for card in cards.cards(seen) if card.entries)
    table = cards.table(seen)
    assert [row[0] for row in table.rows] == names[1:]
    assert table.rows[5][table.columns.index("Latency")].startswith("1.60×")
    page = write_report([seen.run.directory], tmp_path / "page").read_text(encoding="utf-8")
    assert "Every model against bert-0" in page


def test_the_note_of_a_table_of_models_keeps_the_capitals_of_its_words(tmp_path):
    """RSS is an abbreviation."""
    cases = [case(f"bert-{i}", measure=Measure.MEMORY) for i in range(7)]
    run = write_run(tmp_path / "run", cases, None, {c.id: {"peak_rss_bytes": [1e6]} for c in cases})
    note = cards.table(View.of(run.directory)).note
    assert "Peak memory: peak RSS above the libraries, batch 1, 16 tokens." in note


@pytest.mark.parametrize(
    ("seconds", "tokens", "title"),
    [
        (1.1, 16, "The runs agree about albert: their intervals have ratios in common"),
        (1.3, 16, "The runs do not agree about albert: no ratio lies in all their intervals"),
        (1.3, 32, "Latency of albert against the reference, run by run"),
    ],
)
def test_only_runs_of_one_workload_agree_or_not(tmp_path, seconds, tokens, title):
    """What a model takes at another length contradicts nothing."""
    first = view(tmp_path / "first", {case("bert"): 1.0, case("albert"): 1.1})
    bert, albert = (case(model, seq_len=tokens) for model in ("bert", "albert"))
    second = view(tmp_path / "second", {bert: 1.0, albert: seconds})
    with style():
        assert runs.runs_figure([first, second]).title == title


def test_a_figure_of_few_ratios_has_room_for_what_is_written_along_its_side(tmp_path):
    """Two rows are less high than the words for them."""
    cases = [case(m, seq_len=n) for n in (8, 16) for m in ("bert", "albert")]
    figure = drawn(every_ratio.draw, view(tmp_path, dict.fromkeys(cases, 1.0))).figure
    figure.draw_without_rendering()
    label = figure.axes[0].yaxis.label.get_window_extent()
    assert figure.bbox.y0 < label.y0 < label.y1 < figure.bbox.y1


def test_a_course_of_great_spread_is_logarithmic_and_counts_whole_forwards(tmp_path):
    """However far below the fastest sample a margin would reach."""
    one = case()
    write_run(tmp_path / "run", [one], {one.id: [[0.01, 0.01, 0.01, 1.0]] * 2})
    (axes,) = drawn(course.draw, View.of(tmp_path / "run")).figure.axes
    assert axes.get_yscale() == "log"
    assert all(tick == int(tick) for tick in axes.get_xticks())


@pytest.mark.parametrize("others", [1, 2, 5, 9])
def test_marks_of_one_length_stand_apart_from_those_of_the_next(tmp_path, others):
    """However many models stand side by side at each."""
    names = ["bert", *(f"albert-{i}" for i in range(others))]
    cases = [case(name, seq_len=n) for n in (8, 16, 32) for name in names]
    _, axes = drawn(latency.draw, view(tmp_path, dict.fromkeys(cases, 1.0))).figure.axes
    drawn_at = [bars.lines[0].get_xdata() for bars in axes.containers]
    at_8, at_16 = ([x[i] for x in drawn_at] for i in (0, 1))
    assert len(at_8) == others
    before_last = sorted(at_8)[-2:][0]
    assert min(at_16) / max(at_8) > max(at_8) / before_last


@pytest.mark.parametrize(
    ("timed", "told"),
    [(False, "All are counted exactly."), (True, "Times have whiskers, their 95 % intervals")],
)
def test_whiskers_are_told_of_where_there_are_times(tmp_path, timed, told):
    """What is counted has none."""
    counted = [case(m, suite="parameters", measure=Measure.STATIC) for m in ("bert", "albert")]
    cases = [*counted, *([case("bert"), case("albert")] if timed else [])]
    walls = {one.id: [[1.0] * 4] * 2 for one in cases if one not in counted}
    measured = {one.id: {"stored_parameters": [1e6], "operators": [100.0]} for one in counted}
    run = write_run(tmp_path / "run", cases, walls, measured)
    assert told in drawn(work.draw, View.of(run.directory)).notes[0]


def test_few_models_need_no_table_of_models(tmp_path):
    """The cards hold them all."""
    assert cards.table(view(tmp_path, {case("bert"): 1.0, case("albert"): 1.1})) is None


def test_names_of_points_that_lie_together_do_not_cover_each_other(tmp_path):
    """Each is written where there is room."""
    seconds = {case(name): 1.0 for name in ("bert", "albert", "roberta", "electra")}
    measured = {one.id: {"stored_parameters": [1e8]} for one in seconds}
    found = drawn(family.draw, view(tmp_path, seconds, measured))
    boxes = [text.get_window_extent() for text in found.figure.axes[0].texts]
    assert len(boxes) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
