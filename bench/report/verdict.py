"""The answer first: a headline, three sentences and the cards, built from ratios and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.core.english import several
from bench.report.advice import advice
from bench.report.conclusions import usual
from bench.report.view import Context, View, at, workload_text
from bench.stats.relation import Relation, judge_row
from bench.wording.numbers import count, quantity, ratio_text
from bench.wording.sentences import speed_up_sentences, stored_parameters, to_know_more
from bench.wording.verdicts import Overall, Speeds, change


@dataclass(frozen=True)
class Opening:
    """What the page opens with."""

    headline: str
    sentences: list[str]


def verdict(view: View) -> Opening:
    """Which model, for what, on this machine."""
    context = view.contexts[0]
    if not view.others:
        return _single(view, context)
    model = view.others[0]
    timed = _timed(view, context, model)
    headline = _headline(view, context, model, timed)
    speed = _speed(view, context, timed, model)
    if timed.empty:
        speed += _variants(view)
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
    return Opening(headline, [s for s in sentences if s])


def _timed(view: View, context: Context, model: str) -> pd.DataFrame:
    rows = view.compared("latency", context)
    return rows[rows["model"] == model]


def _headline(view: View, context: Context, model: str, timed: pd.DataFrame) -> str:
    name, other = view.names[model], view.names[view.reference]
    stored = view.one_ratio("stored_parameters", model, context) or view.one_ratio(
        "weight_bytes", model, context
    )
    size = None if stored is None else judge_row(stored).relation
    speeds = Speeds.of(timed.itertuples())
    if speeds.overall is None and size is None:
        return f"Nothing here separates {name} from {other} yet"
    if size is None:
        return f"{name} {_SPEED_ALONE[speeds.overall]} {other}" if speeds.overall else ""
    word = {Relation.LESS: "the smaller model", Relation.MORE: "the larger model"}.get(
        size, "as large a model"
    )
    total = len(timed)
    ending = {
        None: "; their speeds were not compared",
        Overall.SLOWER: ", not the faster one" if size is Relation.LESS else ", and the slower one",
        Overall.FASTER: ", and the faster one",
        Overall.PARTLY_SLOWER: f"; it is slower at {speeds.count(Relation.MORE)} of {total} "
        "workloads",
        Overall.PARTLY_FASTER: f"; it is faster at {speeds.count(Relation.LESS)} of {total} "
        "workloads",
        Overall.MIXED: "; which is faster depends on the workload",
        Overall.CLOSE: "; both are as fast, within 5 %",
        Overall.NOT_KNOWN: "; which is faster is not known yet",
    }[speeds.overall]
    return f"{name} is {word}{ending}"


_SPEED_ALONE = {
    Overall.SLOWER: "is slower than",
    Overall.FASTER: "is faster than",
    Overall.PARTLY_SLOWER: "is slower at some workloads than",
    Overall.PARTLY_FASTER: "is faster at some workloads than",
    Overall.MIXED: "is faster at some workloads and slower at others than",
    Overall.CLOSE: "is within 5 % as fast as",
    Overall.NOT_KNOWN: "may be slower or faster than",
}


def _size(view: View, context: Context, model: str) -> str:
    name, other = view.names[model], view.names[view.reference]
    parts = []
    stored = view.one_ratio("stored_parameters", model, context)
    if stored is not None:
        own, base = _pair(view, "stored_parameters", model, context)
        parts.append(f"stores {stored_parameters(stored.ratio, other)} ({own} against {base})")
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
    row, speeds = usual(view, context, model, timed), Speeds.of(timed.itertuples())
    measured = f"one forward takes {ratio_text(row)} as long; {context}"
    first = f"{name} {Speeds.of([row]).predicate(other)} ({measured})."
    if len(timed) == 1:
        return first
    more = to_know_more(timed, view.summary)
    in_all = f"{first} In all, it {speeds.predicate(other)}."
    return in_all if more is None else f"{in_all} {more}."


def _variants(view: View) -> str:
    """What a run that compared variants of each model, and no models, found of them."""
    found = [g for g in view.analysis.speedups if not g.threads_compared]
    return "".join(f" {text}" for text in speed_up_sentences(found)[: len(view.models)])


def _elsewhere(view: View, context: Context, model: str) -> str:
    timed = _timed(view, context, model)
    if timed.empty:
        return ""
    row = usual(view, context, model, timed)
    return (
        f"On {context}: {ratio_text(row)} the time at "
        f"{workload_text(row.batch_size, row.seq_len)}, {change(row)}."
    )


def _single(view: View, context: Context) -> Opening:
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
    return Opening(f"{name}, measured alone", sentences)
