"""The plain-language answer of a run: what the numbers say, in sentences, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.core.axes import AXIS_NAMES, Compile, unusual
from bench.core.case import Workload
from bench.stats.speedups import Gain, best, compares_models, speed_text

if TYPE_CHECKING:
    import pandas as pd

SHORT = {
    "bert-base-uncased": "BERT",
    "albert-base-v2": "ALBERT",
    "albert-base-v2-fused": "ALBERT with a fused gelu",
}
"""How sentences call the two models this tool is about."""

TOO_NOISY = 1.5
"""An interval around 1 with ends this many times apart tells nothing: a difference could hide."""
TOO_WIDE = 100
"""An interval whose ends are this many times apart says nothing; its digits would only mislead."""
FEW = 1.5
"""Below so many times as much or as little, a difference is told in percent."""

LAUNCH_BOUND = 0.8
"""A host busy for this share of a forward's time leaves the device waiting for it."""

AS_MANY = "as many"
GRAPHS = (Compile.REDUCE_OVERHEAD.value, Compile.MAX_AUTOTUNE.value)
"""Compilations that make CUDA graphs, which a host launches as one."""


def sentences(ratios: pd.DataFrame) -> list[str]:
    """Statements of the run's ratios (columns of records.RATIOS), most important first."""
    found: list[str] = []
    ratios = compares_models(ratios)
    for (model, reference), rows in ratios.groupby(["model", "reference"], sort=False):
        subject, other = short(str(model)), short(str(reference))
        found.extend(_size(rows, subject, other))
        found.extend(_speed(rows, subject, other))
        found.extend(_memory(rows, subject, other))
        found.extend(_capacity(rows, subject, other))
        found.extend(_cold_start(rows, subject, other))
    return found


def gain_sentences(found: list[Gain]) -> list[str]:
    """The fastest variant of each workload and what more threads bring, one sentence each."""
    said = []
    for gain in best(found):
        text = (
            f"At {gain.workload}{setting(gain)} {short(gain.model)} runs fastest as {gain.label}: "
            f"{speed_text(gain)} as fast as {gain.reference}"
        )
        if gain.threads_compared:
            text = (
                f"At {gain.workload}{setting(gain)} {short(gain.model)} runs {speed_text(gain)} as "
                f"fast on {gain.label} as on {gain.reference}: {gain.efficiency:.0%} of a perfect "
                "speed-up"
            )
        elif gain.error is not None:
            text += f", with a relative error of {gain.error:.1g}"
        said.append(f"{text}.")
    return said


def launch_bound(summary: pd.DataFrame) -> list[str]:
    """Of each variant on a device of its own, where the host's launches are what takes the time."""
    timed = summary[summary["metric"].isin(("host_time", "latency"))]
    wide = timed.pivot_table(index="case", columns="metric", values="value")
    if "host_time" not in wide:
        return []
    bound = wide.index[wide["host_time"] >= LAUNCH_BOUND * wide["latency"]]
    found = timed[timed["case"].isin(bound) & (timed["metric"] == "latency")]
    return [
        _bound_by_launches(rows)
        for _, rows in found.groupby(["model", "device", *AXIS_NAMES], sort=False)
    ]


def _bound_by_launches(rows: pd.DataFrame) -> str:
    """The sentence for the cases of one model and variant."""
    first: Any = next(rows.itertuples())
    # A workload of the `variants` suite may stand in another suite as well.
    where = "; ".join(dict.fromkeys(_workload(row) for row in rows.itertuples()))
    graphs = "" if first.compile in GRAPHS else ", or CUDA graphs (--compile reduce-overhead),"
    return (
        f"{short(str(first.model))}{setting(first)} is bound by launches at {where}: giving the "
        "device its work takes the host as long as the device takes to do it. Larger batches"
        f"{graphs} use the device better."
    )


def short(model: str) -> str:
    """A model's name as sentences say it."""
    return SHORT.get(model, model)


def _one(rows: pd.DataFrame, name: str) -> float | None:
    values = rows.loc[rows["metric"] == name, "ratio"]
    return None if values.empty else float(values.iloc[0])


def _size(rows: pd.DataFrame, subject: str, other: str) -> Iterator[str]:
    stored, applied = _one(rows, "stored_parameters"), _one(rows, "applied_parameters.encoder")
    if stored is None:
        return
    than = "as" if times(stored) == AS_MANY else "than"
    text = f"{subject} stores {times(stored)} parameters {than} {other}"
    if applied is not None and math.isclose(applied, 1.0, rel_tol=1e-9):
        text += ", and applies as many in its encoder"
    elif applied is not None:
        text += f", and applies {times(applied)} in its encoder"
    yield text + "."


def _speed(rows: pd.DataFrame, subject: str, other: str) -> Iterator[str]:
    for row in (
        rows[rows["metric"] == "latency"].sort_values(["batch_size", "seq_len"]).itertuples()
    ):
        yield f"At {place(row)} {subject} takes {interval(row)} as long as {other}{verdict(row)}."


def _memory(rows: pd.DataFrame, subject: str, other: str) -> Iterator[str]:
    chosen = rows[rows["metric"].isin(["peak_rss_bytes", "cuda_peak_allocated_bytes"])]
    for row in chosen.sort_values(["batch_size", "seq_len"]).itertuples():
        yield f"At {place(row)} {subject} needs {interval(row)} the peak memory of {other}."


def _capacity(rows: pd.DataFrame, subject: str, other: str) -> Iterator[str]:
    chosen = rows[rows["metric"] == "largest_batch"]
    for row in chosen.sort_values("seq_len").itertuples():
        yield (
            f"At {row.seq_len} tokens{setting(row)} the largest batch that fits is "
            f"{row.ratio:.3g}x as large with {subject} as with {other}."
        )


def _cold_start(rows: pd.DataFrame, subject: str, other: str) -> Iterator[str]:
    for row in rows[rows["metric"] == "cold_start"].itertuples():
        yield (
            f"From process start to first output{setting(row)} {subject} takes {interval(row)} "
            f"as long as {other}{verdict(row)}."
        )


def _workload(row: Any) -> str:
    return str(Workload(row.batch_size, row.seq_len))


def place(row: Any) -> str:
    """A row's workload, with its device and dtype where they are not the plain ones."""
    return f"{_workload(row)}{setting(row)}"


def setting(row: Any) -> str:
    """Device and variant in brackets, where they are not the usual ones."""
    device = [] if row.device == "cpu" else [row.device]
    special = [*device, *unusual(row)]
    return f" ({', '.join(special)})" if special else ""


def times(ratio: float) -> str:
    """A count's ratio as `9.4x fewer`, `20% more` or `as many`."""
    if math.isclose(ratio, 1.0, rel_tol=1e-9):
        return AS_MANY
    if 1 / FEW < ratio < FEW:
        away = 100 * abs(ratio - 1)
        digits = max(0, -math.floor(math.log10(away)))
        return f"{away:.{digits}f}% {'fewer' if ratio < 1 else 'more'}"
    return f"{1 / ratio:.3g}x fewer" if ratio < 1 else f"{ratio:.3g}x more"


def interval(row: Any) -> str:
    """A ratio with its interval, to the digits that the interval supports: `1.03x [1.01, 1.05]`."""
    if math.isnan(row.low) or math.isnan(row.high):
        return f"{row.ratio:.2f}x [interval unknown]"
    if row.high > TOO_WIDE * row.low:
        return f"{row.ratio:.2f}x [too noisy to bound]"
    if row.low == row.high:
        return f"{row.ratio:.4g}x"
    digits = max(2, min(4, -math.floor(math.log10(max(row.high - row.low, 1e-9)))))
    return f"{row.ratio:.{digits}f}x [{row.low:.{digits}f}, {row.high:.{digits}f}]"


def verdict(row: Any) -> str:
    """What a ratio's interval allows to say about speed; nothing when it is not known."""
    if math.isnan(row.low) or math.isnan(row.high):
        return ""
    # Of more than twice as much percents only confuse: the ratio says it.
    if row.low > 1:
        return f": {row.ratio - 1:.0%} slower" if 1.005 <= row.ratio < 2 else ": slower"
    if row.high < 1:
        return f": {1 - row.ratio:.0%} faster" if 0.5 < row.ratio <= 0.995 else ": faster"
    return ": too noisy to tell" if row.high > TOO_NOISY * row.low else ": no difference found"
