import math

import pandas as pd
import pytest

from bench.results.store import RATIOS
from bench.wording.sentences import interval, sentences

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


def said(*rows):
    """What is said of some ratios, given as (metric, ratio, low, high, other columns)."""
    table = pd.DataFrame(
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
    return sentences(table)


def exact(metric, ratio):
    """A ratio of counts."""
    return (metric, ratio, ratio, ratio)


def test_nothing_measured_is_nothing_said():
    """An empty table has no sentences."""
    assert said() == []


def test_sizes_are_told_as_times_fewer():
    """Stored and applied parameters stand in one sentence, since people confuse the two."""
    stored = exact("stored_parameters", 11_683_584 / 109_482_240)
    assert said(stored, exact("applied_parameters.encoder", 1.0)) == [
        "ALBERT stores 9.37x fewer parameters than BERT, and applies as many in its encoder."
    ]
    assert said(stored, exact("applied_parameters.encoder", 2.5)) == [
        "ALBERT stores 9.37x fewer parameters than BERT, and applies 2.5x more in its encoder."
    ]


@pytest.mark.parametrize(
    ("ratio", "told"),
    [(0.996, "0.4% fewer"), (0.99994, "0.006% fewer"), (1.25, "25% more"), (1.6, "1.6x more")],
)
def test_small_differences_of_counts_are_told_in_percent(ratio, told):
    """`1x fewer` would say nothing."""
    assert said(exact("stored_parameters", ratio)) == [
        f"ALBERT stores {told} parameters than BERT."
    ]


def test_equal_sizes_are_told_as_equal():
    """A model against its own twin stores as many parameters as it."""
    assert said(exact("stored_parameters", 1.0)) == ["ALBERT stores as many parameters as BERT."]


@pytest.mark.parametrize(
    ("ratio", "low", "high", "told"),
    [
        (1.03, 1.01, 1.05, "1.03x [1.01, 1.05] as long as BERT: 3% slower."),
        (0.80, 0.77, 0.83, "0.80x [0.77, 0.83] as long as BERT: 20% faster."),
        (1.01, 0.97, 1.05, "1.01x [0.97, 1.05] as long as BERT: no difference found."),
        (1.3, 0.6, 2.8, "1.30x [0.60, 2.80] as long as BERT: too noisy to tell."),
        (1.0021, 1.0006, 1.0036, "1.002x [1.001, 1.004] as long as BERT: slower."),
        (1.2, math.nan, math.nan, "1.20x [interval unknown] as long as BERT."),
        (2.5, 1.5, 4.1, "2.50x [1.50, 4.10] as long as BERT: slower."),
        (0.1, 0.09, 0.11, "0.10x [0.09, 0.11] as long as BERT: faster."),
    ],
)
def test_a_speed_is_told_with_its_interval(ratio, low, high, told):
    """A difference is claimed only when the whole interval is on one side of 1."""
    assert said(("latency", ratio, low, high)) == [f"At batch 1, 128 tokens ALBERT takes {told}"]


def test_small_workloads_come_first():
    """Sentences are in the order of batch size, then of tokens."""
    rows = [
        ("latency", 1.1, 1.0, 1.2, {"batch_size": b, "seq_len": s})
        for b, s in ((4, 8), (1, 512), (1, 16))
    ]
    found = [s.partition(" ALBERT")[0] for s in said(*rows)]
    assert found == ["At batch 1, 16 tokens", "At batch 1, 512 tokens", "At batch 4, 8 tokens"]


def test_what_is_not_the_plain_cpu_case_says_so():
    """Two devices or two dtypes give two sentences that can be told apart."""
    found = said(
        ("latency", 1.1, 1.05, 1.2),
        ("latency", 1.1, 1.05, 1.2, {"device": "cuda"}),
        ("latency", 1.1, 1.05, 1.2, {"dtype": "bfloat16"}),
    )
    assert len(set(found)) == 3
    assert sum("cuda" in s for s in found) == sum("bfloat16" in s for s in found) == 1


def test_memory_is_told_against_the_reference():
    """Peak memory is a statement of its own."""
    assert said(("peak_rss_bytes", 0.5, 0.45, 0.55)) == [
        "At batch 1, 128 tokens ALBERT needs 0.50x [0.45, 0.55] the peak memory of BERT."
    ]


def test_other_models_keep_their_names():
    """Only the two models of the title have short names."""
    found = said(("latency", 2.0, 1.9, 2.1, {"model": "x/y", "reference": "z"}))
    assert found[0].startswith("At batch 1, 128 tokens x/y takes 2.00x [1.90, 2.10] as long as z")


def test_an_interval_that_says_nothing_has_no_digits():
    """Bounds a hundred times apart are called too noisy instead of being printed."""
    row = pd.Series({"ratio": 1.15, "low": 0.0001, "high": 71605.8})
    assert interval(row) == "1.15x [too noisy to bound]"
