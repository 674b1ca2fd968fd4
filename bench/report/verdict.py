"""The answer first: a headline, three sentences and the cards, built from ratios and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.core.english import several
from bench.report import variants
from bench.report.advice import advice
from bench.report.conclusions import overall_speed, tally, usual
from bench.report.view import Context, View, at, workload_text
from bench.stats import speedups as gains
from bench.wording.numbers import (
    Relation,
    bounds,
    change,
    count,
    fewer,
    percent,
    quantity,
    ratio_text,
    relation,
    times,
)


@dataclass(frozen=True)
class Verdict:
    """What the page opens with."""

    headline: str
    sentences: list[str]


def verdict(view: View) -> Verdict:
    """Which model, for what, on this machine."""
    context = view.contexts[0]
    if not view.others:
        return _single(view, context)
    model = view.others[0]
    timed = _timed(view, context, model)
    headline = _headline(view, context, model, timed)
    speed = _speed(view, context, timed, model)
    if timed.empty:
        speed += _ways(view)
    sentences = [_size(view, context, model), speed, advice(view, context, model, timed)]
    for other in view.headlined[1:]:
        rows = _timed(view, context, other)
        sentences.append(
            " ".join(
                s for s in (_size(view, context, other), _speed(view, context, rows, other)) if s
            )
        )
    more = len(view.others) - len(view.headlined)
    if more:
        sentences.append(
            f"{count(more, 'more model')} {'is' if more == 1 else 'are'} in the table."
        )
    sentences += [_elsewhere(view, c, model) for c in view.contexts[1:]]
    return Verdict(headline, [s for s in sentences if s])


def _timed(view: View, context: Context, model: str) -> pd.DataFrame:
    rows = view.compared("latency", context)
    return rows[rows["model"] == model]


def _headline(view: View, context: Context, model: str, timed: pd.DataFrame) -> str:
    name, other = view.names[model], view.names[view.reference]
    stored = view.one_ratio("stored_parameters", model, context) or view.one_ratio(
        "weight_bytes", model, context
    )
    size = None if stored is None else relation(stored.low, stored.high)
    found = tally(timed)
    speed = overall_speed(view, context, model, timed)
    if speed is None and size is None:
        return f"Nothing here tells {name} and {other} apart yet"
    if size is None:
        return f"{name} {_SPEED_ALONE[speed]} {other}" if speed else ""
    word = {Relation.LESS: "the smaller model", Relation.MORE: "the larger model"}.get(
        size, "as large a model"
    )
    total = len(timed)
    ending = {
        None: "; their speeds were not compared",
        "slower": ", not the faster one" if size is Relation.LESS else ", and the slower one",
        "faster": ", and the faster one",
        "partly slower": f"; it is slower at {found[Relation.MORE]} of {total} workloads",
        "partly faster": f"; it is faster at {found[Relation.LESS]} of {total} workloads",
        "mixed": "; which is faster depends on the workload",
        "open": "; no difference in speed was found",
        "noisy": "; this run is too noisy to tell which is faster",
        "unknown": "; too few repeats to judge speed",
    }[speed]
    return f"{name} is {word}{ending}"


_SPEED_ALONE = {
    "slower": "is slower than",
    "faster": "is faster than",
    "partly slower": "is slower at some workloads than",
    "partly faster": "is faster at some workloads than",
    "mixed": "is faster at some workloads and slower at others than",
    "open": "shows no difference in speed to",
    "noisy": "was measured too noisily to be compared in speed with",
    "unknown": "has too few repeats to be compared in speed with",
}


def _size(view: View, context: Context, model: str) -> str:
    name, other = view.names[model], view.names[view.reference]
    parts = []
    stored = view.one_ratio("stored_parameters", model, context)
    if stored is not None:
        own, base = _pair(view, "stored_parameters", model, context)
        parts.append(
            f"stores {fewer(stored.ratio)} parameters than {other} ({own} against {base})".replace(
                "equally many parameters than", "as many parameters as"
            )
        )
    held = view.one_ratio("weight_bytes", model, context)
    if held is not None:
        own, base = _pair(view, "weight_bytes", model, context)
        subject = "its weights take" if parts else "needs"
        ending = "" if parts else " for its weights"
        parts.append(f"{subject} {own} instead of {base}{ending}")
    return f"{name} {several(parts)}." if parts else ""


def _pair(view: View, metric: str, model: str, context: Context) -> tuple[str, str]:
    rows = [view.one_value(metric, m, context) for m in (model, view.reference)]
    own, base = ("an unknown amount" if r is None else quantity(r.value, r.unit) for r in rows)
    return own, base


def _speed(view: View, context: Context, timed: pd.DataFrame, model: str) -> str:
    name, other = view.names[model], view.names[view.reference]
    if timed.empty:
        return f"How fast {name} is against {other} was not measured in this run."
    row = usual(view, context, model, timed)
    where = workload_text(row.batch_size, row.seq_len)
    measured = f"one forward takes {ratio_text(row)} as long; {context}"
    said = {
        Relation.MORE: f"At {where} {name} is {percent(row.ratio)} slower than {other}",
        Relation.LESS: f"At {where} {name} is {percent(row.ratio)} faster than {other}",
        Relation.NOISY: f"At {where} this run is too noisy to tell whether {name} is faster than "
        f"{other}",
        Relation.UNKNOWN: f"At {where} too few repeats ran to say whether {name} is faster than "
        f"{other}",
    }.get(
        relation(row.low, row.high),
        f"At {where} no difference in speed was found between {name} and {other}",
    )
    return f"{said} ({measured}){_in_all(timed, relation(row.low, row.high))}."


def _ways(view: View) -> str:
    """What a run that compared ways to run each model, and no models, found of them."""
    found = [g for g in gains.gains(view.summary, view.ratios) if not g.threads_compared]
    return "".join(f" {text}" for text in variants.sentences(found)[: len(view.models)])


def _in_all(timed: pd.DataFrame, said: Relation) -> str:
    """What the other timed workloads say, after what was `said` of the usual one."""
    found, total = tally(timed), len(timed)
    if total == 1:
        return ""
    for kind, word in ((Relation.MORE, "slower"), (Relation.LESS, "faster")):
        if found[kind] == total:
            return f" and {word} in all {total} timed workloads, by {_span(timed)}"
    if found[Relation.UNDECIDED] == total:
        return f", nor in any other of the {total} timed workloads"
    if said in (Relation.UNKNOWN, Relation.NOISY) and found[said] == total:
        return f"; the same holds for all {total} timed workloads"
    rest = [
        f"{word} in {found[kind]}"
        for kind, word in (
            (Relation.MORE, "slower"),
            (Relation.LESS, "faster"),
            (Relation.UNDECIDED, "not told apart"),
            (Relation.NOISY, "too noisily measured"),
            (Relation.UNKNOWN, "not judged, for want of repeats,"),
        )
        if found[kind]
    ]
    return f"; over {count(total, 'timed workload')} it is {several(rest)}"


def _span(timed: pd.DataFrame) -> str:
    """From the ratio nearest to 1 to the one farthest from it."""
    ratios = sorted(timed["ratio"], key=lambda ratio: abs(ratio - 1))
    return " to ".join(dict.fromkeys((percent(ratios[0]), percent(ratios[-1]))))


def _elsewhere(view: View, context: Context, model: str) -> str:
    timed = _timed(view, context, model)
    if timed.empty:
        return ""
    row = usual(view, context, model, timed)
    return (
        f"On {context}: {times(row.ratio, row.low, row.high)} {bounds(row.low, row.high)} the time "
        f"at {workload_text(row.batch_size, row.seq_len)}, {change(row, 'slower', 'faster')}."
    )


def _single(view: View, context: Context) -> Verdict:
    """One model alone has nothing to be compared with: only what it needs."""
    name, model = view.names[view.reference], view.reference
    sentences = []
    stored = view.one_value("stored_parameters", model, context)
    held = view.one_value("weight_bytes", model, context)
    if stored is not None and held is not None:
        sentences.append(
            f"{name} stores {quantity(stored.value, '1')} parameters in "
            f"{quantity(held.value, 'B')} of weights."
        )
    row = at(view.values("latency", context), view.workload("latency", context), model)
    if row is not None:
        sentences.append(
            f"On {context}, at {workload_text(row.batch_size, row.seq_len)}, one forward takes "
            f"{quantity(row.value, 's')} (median of {count(int(row.n), 'sample')})."
        )
    sentences.append("One model was measured, so there is no ratio: add --model to compare.")
    return Verdict(f"{name}, measured alone", sentences)
