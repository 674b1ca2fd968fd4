"""Short answers to the questions people really ask about ALBERT, from this run's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.report.conclusions import usual
from bench.report.memory_need import needs_of, tokens_of_equal_need
from bench.report.view import Context, View, at, workload_text
from bench.stats.relation import Relation, judge_row
from bench.wording.numbers import fewer, quantity, ratio_text, significant
from bench.wording.verdicts import Speeds, change

FLOAT32_BYTES = 4
MIB = 2**20
FUSED = "-fused"
"""How the registry names a model whose activation is one operator."""


@dataclass(frozen=True)
class Answer:
    """A question with its answer; `figure` names the figure that shows it, if one does."""

    question: str
    paragraphs: list[str]
    figure: str | None = None


def answers(view: View) -> list[Answer]:
    """The answers that this run has numbers for, about the first model after the reference."""
    if not view.others:
        return []
    context, model = view.contexts[0], view.others[0]
    found = (
        _speed(view, context, model),
        *(_implementation(view, context, model) for model in view.headlined),
        _memory(view, context, model),
        _export(view, context, model),
        _loading(view, context, model),
        _random(view),
    )
    return [a for a in found if a is not None and a.paragraphs]


def _speed(view: View, context: Context, model: str) -> Answer | None:
    stored = view.one_ratio("stored_parameters", model, context)
    if stored is None or stored.ratio >= 1:
        return None
    name = view.names[model]
    timed = view.compared("latency", context)
    timed = timed[timed["model"] == model]
    if len(timed) and _is_so_fast(usual(view, context, model, timed), stored.ratio):
        return None
    speeds = Speeds.of(timed.itertuples())
    # "Not faster" is only said where the intervals say so.
    decided = speeds.count(Relation.MORE) and not speeds.count(Relation.LESS)
    times_faster = "" if decided else f"{significant(1 / stored.ratio)}× "
    question = f"Why is {name} not {times_faster}faster, with {fewer(stored.ratio)} parameters?"
    return Answer(question, list(_speed_answer(view, context, model)), "work")


def _is_so_fast(row: Any, stored: float) -> bool:
    """Whether it may be faster by as much as it is smaller: then nobody wonders why it is not."""
    return judge_row(row).relation is Relation.LESS and bool(row.low <= stored)


def _speed_answer(view: View, context: Context, model: str) -> Iterator[str]:
    name, other = view.names[model], view.names[view.reference]
    applied = view.one_ratio("applied_parameters.encoder", model, context)
    encoder = view.one_value("applied_parameters.encoder", model, context)
    if encoder is not None and applied is not None and applied.ratio == 1:
        both = f"encoders apply {quantity(encoder.value, '1')} parameters to every token."
        if _shares_layers(view, context, model) and not _shares_layers(
            view, context, view.reference
        ):
            yield (
                f"Because sharing saves storage, not arithmetic. {name} stores one layer and runs "
                f"it as often as {other} runs its separate ones: both {both}"
            )
        else:
            yield f"Both {both}"
    elif applied is not None:
        yield f"Its encoder applies {fewer(applied.ratio)} parameters than {other}’s in a forward."
    workload = view.workload("latency", context) or view.workload("flops", context)
    flops = at(view.compared("flops", context), workload, model)
    operators = view.one_ratio("operators", model, context)
    if flops is not None and operators is not None:
        counts = [view.one_value("operators", m, context) for m in (model, view.reference)]
        numbers = " against ".join(f"{c.value:,.0f}" for c in counts if c is not None)
        gelu = (
            f" {name}’s gelu_new is a chain of small operators where {other}’s gelu is one."
            if _has_chain(model) and view.reference.startswith("bert-")
            else ""
        )
        yield (
            f"At {workload_text(flops.batch_size, flops.seq_len)} a forward of {name} takes "
            f"{ratio_text(flops)} the FLOPs of {other}’s, in {numbers} operators.{gelu}"
        )
    latency = at(view.compared("latency", context), workload, model)
    if latency is not None:
        said = change(latency)
        yield f"Measured there, it takes {ratio_text(latency)} the time of {other}: {said}."


def _has_chain(model: str) -> bool:
    """Whether it is an ALBERT as published, whose activation is not one operator."""
    return model.startswith("albert-") and not model.endswith(FUSED)


def _shares_layers(view: View, context: Context, model: str) -> bool:
    """Whether its encoder applies what it stores more than once."""
    pair = [
        view.one_value(f"{kind}_parameters.encoder", model, context)
        for kind in ("stored", "applied")
    ]
    stored, applied = (0.0 if one is None else one.value for one in pair)
    return 0 < stored < applied


def _implementation(view: View, context: Context, model: str) -> Answer | None:
    """How much of a model's cost is how it is written, where a fused twin of it was timed."""
    twin = f"{model}{FUSED}"
    workload = view.workload("latency", context)
    timed = view.compared("latency", context)
    own, fused = (at(timed, workload, name) for name in (model, twin))
    if own is None or fused is None or workload is None:
        return None
    name, other = view.names[model], view.names[view.reference]
    text = (
        f"At {workload_text(*workload)} {name} takes {ratio_text(own)} the time of {other} as "
        f"transformers runs it, and {ratio_text(fused)} with the same activation as one fused "
        "operator instead of eight."
    )
    return Answer(
        f"How much of {name}’s time is architecture, and how much implementation?",
        [f"{text} {_shares(own, fused)}"],
    )


def _shares(usual: Any, fused: Any) -> str:
    """Of a difference to the reference, what fusing takes away and what it leaves."""
    extra, left = (judge_row(row).relation for row in (usual, fused))
    unknown = Relation.NOT_KNOWN
    if extra is unknown or (extra is Relation.MORE and left is unknown):
        return "How much of the time is implementation is not known: the intervals are too wide."
    if extra is not Relation.MORE:
        return "So there is no extra time of which implementation could be a part."
    if left is not Relation.MORE:
        return (
            f"So its extra time is implementation: with the fused operator it is {change(fused)}."
        )
    if fused.high < usual.low:
        share = f"{100 * (1 - (fused.ratio - 1) / (usual.ratio - 1)):.0f}"
        return f"So about {share} % of its extra time is implementation; the rest is architecture."
    if fused.ratio >= usual.ratio:
        return "So its extra time is architecture: fusing takes none of it away."
    return "The intervals overlap: this run cannot show whether fusing takes any of it away."


def _memory(view: View, context: Context, model: str) -> Answer | None:
    needs = needs_of(view, context)
    if model not in needs or view.reference not in needs:
        return None
    name, other = view.names[model], view.names[view.reference]
    own, base = needs[model], needs[view.reference]
    meeting = tokens_of_equal_need(own, base)
    if meeting is None:
        return None
    paragraphs = [
        (
            f"Because weights are paid once and activations for every token. {name}’s weights take "
            f"{quantity(own.weights, 'B')} instead of {quantity(base.weights, 'B')}, but each "
            "token in "
            f"a forward costs it {quantity(own.per_token, 'B')} of activations at the peak, and "
            f"{other} "
            f"{quantity(base.per_token, 'B')}."
        ),
        (
            f"At the measured rate both need the same at about {significant(meeting)} tokens in "
            "one "
            f"forward (batch {meeting / 512:.0f} at 512 tokens); beyond that {name} needs more. "
            f"The largest forward counted here had {max(own.tokens.max(), base.tokens.max()):,.0f} "
            "tokens."
        ),
    ]
    return Answer(
        f"Why does {name} not need less memory at large batches?", paragraphs, "crossover"
    )


def _export(view: View, context: Context, model: str) -> Answer | None:
    stored = view.one_value("stored_parameters", model, context)
    applied = view.one_value("applied_parameters", model, context)
    if stored is None or applied is None or applied.value <= 1.5 * stored.value:
        return None
    once, unrolled = (FLOAT32_BYTES * counted.value for counted in (stored, applied))
    name = view.names[model]
    text = (
        "An exporter that unrolls the loop over layers may write the shared layer once per "
        f"application. The {quantity(applied.value, '1')} applied parameters in float32 take "
        f"{quantity(unrolled, 'B')} ({unrolled / MIB:.0f} MiB); the {quantity(stored.value, '1')} "
        f"stored ones take {quantity(once, 'B')}."
    )
    files = list(_files(view, model, (once + unrolled) / 2))
    said = files or ["This is arithmetic on the counted parameters: no export was measured here."]
    return Answer(
        f"Why can an exported {name} file be as large as {quantity(unrolled, 'B')}?",
        [" ".join((text, *said))],
    )


def _files(view: View, model: str, middle: float) -> Iterator[str]:
    """A sentence per backend on the file that this run exported; `middle` parts once from often."""
    exported = view.values("artifact_bytes")
    for backend, rows in exported.groupby("backend", sort=False):
        sizes = dict(zip(rows["model"], rows["value"], strict=True))
        if model not in sizes:
            continue
        other = (
            f" ({view.names[view.reference]}’s {quantity(sizes[view.reference], 'B')})"
            if view.reference in sizes
            else ""
        )
        written = "once per application" if sizes[model] > middle else "once"
        yield (
            f"Measured here, the file exported for {backend} takes {quantity(sizes[model], 'B')}"
            f"{other}: it holds the shared layer {written}."
        )


def _loading(view: View, context: Context, model: str) -> Answer | None:
    row = view.one_ratio("load_time", model, context)
    if row is None:
        return None
    pair = [view.one_value("load_time", m, context) for m in (model, view.reference)]
    if None in pair:
        return None
    own, base = (quantity(p.value, "s") for p in pair if p is not None)
    name, other = view.names[model], view.names[view.reference]
    yes = {Relation.LESS: "Yes", Relation.MORE: "No"}.get(judge_row(row).relation)
    said = f"{yes or change(row).capitalize()}: {own} against {base}, {ratio_text(row)} the time."
    if "random" in view.weights:
        built = (
            f"{said} That is the time to build it with random weights, which reads no file: how "
            "long a checkpoint takes to load needs --weights pretrained."
        )
        return Answer(f"Is {name} built faster than {other}?", [built])
    return Answer(f"Does {name} load faster than {other}?", [said])


def _random(view: View) -> Answer | None:
    if "random" not in view.weights:
        return None
    return Answer(
        "Do random weights change these numbers?",
        [
            (
                "Not what is counted: parameters, FLOPs and activations follow from the "
                "architecture. A "
                "dense forward does the same arithmetic whatever the values are, so time holds as "
                "well; "
                "only the outputs mean nothing."
            )
        ],
    )
