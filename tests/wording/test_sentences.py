"""Sentences say what intervals allow, of what was measured, whatever a model is called."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from bench.results.store import RATIOS
from bench.stats.relation import Relation
from bench.wording.numbers import plain
from bench.wording.sentences import answer, to_know_more
from bench.wording.verdicts import Overall, Speeds

BASE = {
    "suite": "latency",
    "model": "albert-base-v2",
    "reference": "bert-base-uncased",
    "weights": "random",
    "device": "cpu",
    "dtype": "float32",
    "attention": "sdpa",
    "backend": "torch",
    "compile": "none",
    "head": "features",
    "cache": "warm",
    "case": "latency/albert-base-v2/cpu/float32/sdpa/t2/b1/s128",
    "threads": 2,
    "batch_size": 1,
    "seq_len": 128,
    "rounds": 10,
    "processes": 5,
}


def table(*rows):
    """Some ratios, given as (metric, ratio, low, high, other columns)."""
    return pd.DataFrame(
        [
            {
                **BASE,
                "metric": m,
                "ratio": r,
                "low": low,
                "high": high,
                **(extra[0] if extra else {}),
            }
            for m, r, low, high, *extra in rows
        ],
        columns=list(RATIOS),
    )


def said(*rows):
    """What is said of some ratios."""
    return [plain(text) for text in answer(table(*rows))]


def exact(metric, ratio):
    """A ratio of counts."""
    return (metric, ratio, ratio, ratio, {"processes": 1})


def latency(ratio, low, high, seq_len=128, **columns):
    """A ratio of times of a forward."""
    return ("latency", ratio, low, high, {"seq_len": seq_len, **columns})


def test_nothing_measured_is_nothing_said():
    """An empty table has no sentences."""
    assert said() == []


def test_sizes_and_speed_stand_in_one_sentence():
    """Stored and applied parameters together, since people confuse the two; then the speed."""
    stored = exact("stored_parameters", 11_683_584 / 109_482_240)
    applied = exact("applied_parameters.encoder", 1.0)
    slower = [latency(1.03, 1.02, 1.04, 32), latency(1.13, 1.1, 1.16, 128)]
    (text,) = said(stored, applied, *slower)
    assert text == (
        "ALBERT stores 9.37x fewer parameters than BERT, applies as many in its encoder, and is "
        "3.0-13 % slower than BERT at all 2 workloads."
    )
    assert said(stored, exact("applied_parameters.encoder", 2.5)) == [
        "ALBERT stores 9.37x fewer parameters than BERT and applies 2.50x more in its encoder."
    ]


def test_equal_sizes_are_told_as_equal():
    """A model against its own twin stores as many parameters as it."""
    assert said(exact("stored_parameters", 1.0)) == ["ALBERT stores as many parameters as BERT."]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ((1.03, 1.01, 1.05), "3 % slower than BERT"),
        ((0.80, 0.77, 0.83), "20 % faster than BERT"),
        ((1.01, 0.97, 1.04), "as fast as BERT within 4 %"),
        ((1.3, 0.6, 2.8), "may be slower or faster than BERT"),
        ((1.0021, 1.0006, 1.0036), "0.2 % slower than BERT"),
        ((1.2, math.nan, math.nan), "may be slower or faster than BERT"),
        ((2.5, 1.5, 4.1), "2.50x slower than BERT"),
    ],
)
def test_a_speed_is_told_as_far_as_its_interval_goes(row, told):
    """A difference is claimed only when the whole interval is on one side of 1."""
    first = said(latency(*row))[0]
    assert told in first
    assert "at batch 1, 128 tokens" in first


def test_two_processes_are_no_verdict_and_the_command_is_told():
    """However narrow the interval: it says how many more it takes."""
    row = latency(1.1, 1.09, 1.11, processes=2)
    assert "may be slower or faster" in said(row)[0]
    found = to_know_more(table(row), table(row).assign(value=0.1, n=10))
    assert "takes about 3 processes" in found.text
    assert found.command == "bench run latency --batch-size 1 --seq-len 128 --processes 3"


def test_what_it_takes_is_told_in_minutes_and_with_the_run_s_options():
    """Of a variant, a device and other models; from the time that a process sampled here."""
    row = latency(1.02, 0.95, 1.09, model="x/y", reference="z", dtype="bfloat16", device="cuda")
    summary = pd.DataFrame(
        [
            {
                **BASE,
                "dtype": "bfloat16",
                "device": "cuda",
                "metric": "latency",
                "value": 1.0,
                "n": 50,
            }
            for _ in range(2)
        ]
    )
    text = str(to_know_more(table(row), summary))
    assert "minutes)" in plain(text)
    assert (
        "--model z --model x/y --batch-size 1 --seq-len 128 --device cuda --dtype bfloat16" in text
    )


def test_nothing_more_is_asked_where_all_is_known():
    """A verdict needs no advice."""
    rows = table(latency(1.1, 1.05, 1.15))
    assert to_know_more(rows, rows.assign(value=0.1, n=10)) is None


def test_a_hopeless_machine_is_sent_to_the_doctor():
    """Hundreds of processes are no advice."""
    rows = table(latency(1.02, 0.5, 2.1))
    text = str(to_know_more(rows, rows.assign(value=0.1, n=10)))
    assert "more than 50 processes" in text
    assert "bench doctor" in text


@pytest.mark.parametrize(
    ("rows", "overall"),
    [
        ([(1.1, 1.05, 1.15)] * 3, Overall.SLOWER),
        ([(0.9, 0.88, 0.92)] * 3, Overall.FASTER),
        ([(1.1, 1.05, 1.15), *[(1.0, 0.98, 1.02)] * 2], Overall.PARTLY_SLOWER),
        ([(1.2, 1.15, 1.25), (0.8, 0.78, 0.82)], Overall.MIXED),
        ([(1.0, 0.98, 1.02)] * 3, Overall.CLOSE),
        ([(1.0, 0.98, 1.02), (1.0, 0.8, 1.25)], Overall.NOT_KNOWN),
        # One of ten that just leaves 1 out misses by chance.
        ([(1.03, 1.001, 1.06), *[(1.0, 0.98, 1.02)] * 9], Overall.NOT_KNOWN),
        ([], None),
    ],
)
def test_all_workloads_together_are_corrected_for_their_number(rows, overall):
    """A few differences among many workloads are only a part, or none at all."""
    ratios = table(*(latency(*row, seq_len=8 * (i + 1)) for i, row in enumerate(rows)))
    assert Speeds.of(ratios.itertuples()).overall is overall


def test_a_difference_that_does_not_stand_among_many_is_said_to_be_corrected():
    """The table beside the sentence shows it as slower."""
    rows = [latency(1.03, 1.001, 1.06), *(latency(1.0, 0.98, 1.02, n) for n in range(8, 80, 8))]
    speeds = Speeds.of(table(*rows).itertuples())
    assert speeds.count(Relation.MORE) == 0
    assert "correction for 10 comparisons" in speeds.predicate("BERT")


def test_what_is_not_the_plain_cpu_case_says_so():
    """Two devices or two dtypes give sentences that can be told apart."""
    found = said(
        latency(1.1, 1.05, 1.2),
        latency(1.1, 1.05, 1.2, device="cuda"),
        latency(1.1, 1.05, 1.2, dtype="bfloat16"),
    )
    assert len(set(found)) == 3
    assert sum("cuda" in s for s in found) == sum("bfloat16" in s for s in found) == 1


def test_memory_is_told_from_the_least_to_the_most():
    """A sentence of all workloads where each is known, else one of each that says what it is."""
    known = [("peak_rss_bytes", r, r, r, {"batch_size": b}) for r, b in ((0.39, 8), (0.17, 1))]
    assert said(*known) == ["It needs 0.170-0.390x the memory of BERT for a forward."]
    assert said(("peak_rss_bytes", 0.9, 0.8, 1.1)) == [
        "At batch 1, 128 tokens ALBERT needs 0.90x [0.80, 1.10] the memory of BERT: not known."
    ]


def test_other_models_keep_their_names():
    """Only the models of the title have short names, and a name decides nothing else."""
    found = said(latency(2.0, 1.9, 2.1, model="x/y", reference="z"))
    assert found == ["x/y is 2.00x slower than z at batch 1, 128 tokens."]


def test_counted_ratios_and_cold_starts_are_told_one_by_one():
    """Largest batches and starts have no workload in common with the rest."""
    found = said(
        ("largest_batch", 1.5, math.nan, math.nan, {"processes": 1}),
        ("cold_start", 0.8, 0.7, 0.9),
    )
    batch, start = found
    assert batch.endswith("is 1.50x as large with ALBERT as with BERT.")
    assert "takes 0.80x [0.70, 0.90] as long as BERT: 20 % faster" in start
