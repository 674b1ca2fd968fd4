"""Sanity checks of our own numbers: what cannot be true, reported beside the results.

Pure functions over the computed tables. Each failed check gives the number, its likely cause and
the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pandas as pd

from bench.stats.summary import PERCENTILES

FLOAT_NOISE = 1e-9
"""Relative difference of two sums of the same numbers in another order."""
ACTIVATION_TOLERANCE = 0.01
"""Counted peak activations agree with their formula within this fraction."""
CPU_TOLERANCE = 0.10
"""CPU seconds may exceed threads x wall seconds by this fraction (both are medians, rounded)."""
SHOWN = 3
"""Cases named per failed check; the rest are counted."""


def failed_checks(summary: pd.DataFrame, ratios: pd.DataFrame) -> list[str]:
    """What fails of a run's summary and ratios, one sentence or two each."""
    if summary.empty:
        return []
    wide = summary.pivot_table(index="case", columns="metric", values="value", sort=False)
    wide["threads"] = summary.groupby("case")["threads"].first()
    found = [text for rule in RULES for text in rule(wide)]
    return [*found, *_few_samples(summary), *_outside(summary, "value"), *_outside(ratios, "ratio")]


def _mean_above_p99(wide: pd.DataFrame) -> Iterator[str]:
    yield from _fires(
        wide,
        ("latency_mean", "latency_p99"),
        lambda t: t["latency_mean"] > t["latency_p99"],
        "the mean of {latency_mean:.4g} s is above the p99 of {latency_p99:.4g} s",
        "Something that happened once (a compilation, a first call) is among the samples: look at "
        "their course over time.",
    )


def _percentiles_in_order(wide: pd.DataFrame) -> Iterator[str]:
    # Not the median with them: it is a mean over processes, they are of all samples together.
    orders = (("latency_min", "latency"), ("latency_min", *PERCENTILES))
    pairs = (pair for order in orders for pair in pairwise(n for n in order if n in wide))
    for lower, upper in dict.fromkeys(pairs):
        wrong = _above(lower, upper)
        what = f"{lower} ({{{lower}:.4g}} s) is above {upper} ({{{upper}:.4g}} s)"
        then = "That is a fault of this tool: please report it with samples.csv."
        yield from _fires(wide, (lower, upper), wrong, what, then)


def _above(lower: str, upper: str) -> Callable[[pd.DataFrame], Any]:
    return lambda t: t[lower] > t[upper]


def _more_cpu_than_threads(wide: pd.DataFrame) -> Iterator[str]:
    yield from _fires(
        wide,
        ("cpu_time", "latency"),
        lambda t: t["cpu_time"] > t["threads"] * t["latency"] * (1 + CPU_TOLERANCE),
        "{cpu_time:.4g} CPU seconds in {latency:.4g} s are more than {threads:.0f} threads can use",
        "Other threads of the process were at work: check --threads and the libraries' own pools.",
    )


def _flops_disagree(wide: pd.DataFrame) -> Iterator[str]:
    yield from _fires(
        wide,
        ("flops_counted", "flops"),
        lambda t: t["flops_counted"] != t["flops"],
        "{flops_counted:.0f} FLOPs were counted where the formula gives {flops:.0f}",
        "The model is not of the shape the formula is for: trust the counted figure.",
    )


def _activations_disagree(wide: pd.DataFrame) -> Iterator[str]:
    counted, formula = "peak_activation_bytes", "peak_activation_bytes_formula"
    yield from _fires(
        wide,
        (counted, formula),
        lambda t: (t[counted] - t[formula]).abs() > ACTIVATION_TOLERANCE * t[formula],
        f"{{{counted}:.0f}} bytes of activations were counted, the formula gives {{{formula}:.0f}}",
        "A kernel with other temporaries was picked: trust the counted figure.",
    )


def _parts_and_whole(wide: pd.DataFrame) -> Iterator[str]:
    for whole in ("stored_parameters", "applied_parameters", "weight_bytes"):
        parts = [c for c in wide if str(c).startswith(f"{whole}.")]
        if whole not in wide or not parts:
            continue
        table = wide.assign(parts=wide[parts].sum(axis=1, min_count=1))
        yield from _fires(
            table,
            (whole, "parts"),
            _differs(whole, "parts"),
            f"the parts of {whole} add up to {{parts:.0f}}, not to {{{whole}:.0f}}",
            "A part of the model is counted twice or not at all: please report the model's name.",
        )


def _differs(one: str, other: str) -> Callable[[pd.DataFrame], Any]:
    return lambda t: (t[one] - t[other]).abs() > FLOAT_NOISE * t[one]


def _applied_below_stored(wide: pd.DataFrame) -> Iterator[str]:
    stored, applied = "stored_parameters.encoder", "applied_parameters.encoder"
    yield from _fires(
        wide,
        (stored, applied),
        lambda t: t[applied] < t[stored],
        "the encoder applies {applied_parameters_encoder:.0f} parameters and stores "
        "{stored_parameters_encoder:.0f}",
        "Some stored layers were never called: the input does not reach the whole model.",
    )


def _less_memory_than_weights(wide: pd.DataFrame) -> Iterator[str]:
    yield from _fires(
        wide,
        ("peak_rss_bytes", "weight_bytes"),
        lambda t: t["peak_rss_bytes"] < t["weight_bytes"],
        "the peak RSS of {peak_rss_bytes:.0f} B is below the {weight_bytes:.0f} B of weights",
        "The baseline already held weights, or pages were shared: do not use this figure.",
    )


RULES: tuple[Callable[[pd.DataFrame], Iterator[str]], ...] = (
    _mean_above_p99,
    _percentiles_in_order,
    _more_cpu_than_threads,
    _flops_disagree,
    _activations_disagree,
    _parts_and_whole,
    _applied_below_stored,
    _less_memory_than_weights,
)


def _fires(
    wide: pd.DataFrame,
    needs: tuple[str, ...],
    wrong: Callable[[pd.DataFrame], Any],
    what: str,
    then: str,
) -> Iterator[str]:
    """A sentence for each case that has all needed metrics and for which `wrong` is true."""
    if not all(name in wide for name in needs):
        return
    table = wide.dropna(subset=list(needs))
    cases = table[wrong(table)]
    for case, row in cases.head(SHOWN).iterrows():
        values = {str(name).replace(".", "_"): value for name, value in row.items()}
        yield f"{case}: {what.format_map(values)}. {then}"
    if len(cases) > SHOWN:
        yield f"The same holds for {len(cases) - SHOWN} more cases. {then}"


def _few_samples(summary: pd.DataFrame) -> Iterator[str]:
    for name, (_, needed) in PERCENTILES.items():
        rows = summary[(summary["metric"] == name) & (summary["n"] < needed)]
        for row in rows.head(SHOWN).itertuples():
            yield (
                f"{row.case}: {name} stands on {row.n} samples and needs {needed}. "
                "Do not use it; sample for longer (--budget)."
            )


def _outside(table: pd.DataFrame, value: str) -> Iterator[str]:
    """Estimates that lie outside their own interval."""
    if table.empty:
        return
    slack = FLOAT_NOISE * table[value].abs()
    out = (table[value] < table["low"] - slack) | (table[value] > table["high"] + slack)
    for row in table[out].head(SHOWN).to_dict("records"):
        yield (
            f"{row['case']}: the {value} {row[value]:.4g} of {row['metric']} lies outside its "
            f"interval [{row['low']:.4g}, {row['high']:.4g}]. The processes disagree about it: use "
            "the interval."
        )
