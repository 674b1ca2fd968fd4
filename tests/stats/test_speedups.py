from dataclasses import replace

import pytest
from fakes import case, write_run

from bench.core.axes import REFERENCE, Cache, Compile, Dtype, Head, Variant
from bench.core.case import Compares
from bench.report import write_report
from bench.stats.ratios import ratios
from bench.stats.speedups import best, compares_models, speedups
from bench.stats.summary import summarise
from bench.wording.numbers import plain
from bench.wording.sentences import answer, speed_up_sentences

EAGER, COMPILED, INT8 = REFERENCE, Variant(compile=Compile.DEFAULT), Variant(Dtype.INT8)


def variant(of, model="bert"):
    """A case of the suite that compares variants."""
    return replace(case(model, suite="variants"), variant=of, compares=Compares.VARIANTS)


def threads(number):
    """A case of the suite that compares threads."""
    return replace(case(suite="scaling", threads=number), compares=Compares.THREADS)


@pytest.fixture
def run(tmp_path):
    """Compiled is twice as fast as eager beyond doubt, int8 not known, 2 threads 1.6x."""
    cases = [*map(variant, (EAGER, COMPILED, INT8)), threads(1), threads(2), case("bert")]
    seconds = [1.0, 0.5, 0.3, 1.0, 0.625, 1.0]
    noise = {variant(INT8).id: 5.0}
    walls = {
        one.id: [[s] * 4, [s * noise.get(one.id, 1.0)] * 4, [s] * 4]
        for one, s in zip(cases, seconds, strict=True)
    }
    measured = {variant(COMPILED).id: {"output_error": [2e-7], "compile_time": [30.0]}}
    return write_run(tmp_path / "run", cases, walls, measured)


def test_a_variant_is_compared_with_the_first_of_its_group(run):
    """Speed is the inverse of the ratio of latencies, with what it cost beside it."""
    found = {gain.label: gain for gain in speedups(summarise(run), ratios(run))}
    compiled = found["float32 sdpa compile-default"]
    assert compiled.speed == pytest.approx(2.0)
    assert (compiled.reference, compiled.error, compiled.compile_s) == ("float32 eager", 2e-7, 30.0)
    assert found["2 threads"].efficiency == pytest.approx(0.8)
    assert found["2 threads"].reference == "1 thread"


def test_the_best_variant_is_known_to_be_faster(run):
    """A larger speed whose interval holds 1 does not win."""
    names = [gain.label for gain in best(speedups(summarise(run), ratios(run)))]
    assert names == ["float32 sdpa compile-default", "2 threads"]


def test_speed_ups_are_told_in_words(run):
    """One sentence per workload; the answer about models leaves these cases out."""
    first, second = map(plain, speed_up_sentences(speedups(summarise(run), ratios(run))))
    assert first == (
        "At batch 1, 16 tokens bert runs fastest as float32 sdpa compile-default: "
        "2.00x as fast as float32 eager, with a relative error of 2e-07."
    )
    assert second == (
        "At batch 1, 16 tokens bert runs 1.60x as fast on 2 threads as on 1 thread: "
        "80 % of a perfect speed-up."
    )
    assert answer(ratios(run)) == []
    assert set(compares_models(summarise(run))["case"]) == {case("bert").id}


def test_a_page_shows_the_speed_ups(run, tmp_path):
    """The section stands in the page of a run that compared variants, with its sentences."""
    page = write_report([run.directory], tmp_path / "page").read_text(encoding="utf-8")
    assert '<section id="variants"' in page
    assert "2.00× as fast as float32 eager" in page
    assert "<td>1 thread</td>" in page


def test_heads_and_caches_are_not_compared_with_each_other():
    """Each is compared with the reference of its own; how it is run stands in its id."""
    plain, masked = variant(COMPILED), variant(replace(COMPILED, head=Head.MASKED_LM))
    cold = variant(replace(COMPILED, cache=Cache.COLD))
    assert len({one.group for one in (plain, masked, cold)}) == 3
    assert masked.group == variant(replace(EAGER, head=Head.MASKED_LM)).group
    assert "~compile-default/masked-lm/" in masked.id


def test_threads_of_another_dtype_are_labelled_with_it(tmp_path):
    """Two threads in bfloat16 are not two threads in float32."""
    cases = [
        replace(case(suite="scaling", threads=n, dtype=d), compares=Compares.THREADS)
        for d in (Dtype.FLOAT32, Dtype.BFLOAT16)
        for n in (1, 2)
    ]
    run = write_run(tmp_path, cases, {one.id: [[1.0 / one.threads] * 4] * 2 for one in cases})
    labels = [gain.label for gain in speedups(summarise(run), ratios(run))]
    assert labels == ["2 threads", "2 threads, bfloat16 sdpa"]
