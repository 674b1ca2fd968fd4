"""Times tokenizing and forwards of a text apart: every model takes the same lines in turn.

Lines are drawn anew in each process, so the intervals cover the text as well as the machine. In a
round every model runs the same lines, padded to the longest of the batch as its own tokenizer
cuts them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from bench.core.case import Case, Workload
from bench.core.errors import BenchError
from bench.core.events import Phase, Sample
from bench.core.flops import forward_flops
from bench.core.units import NS
from bench.plan.corpus import Text, read
from bench.worker import reference_gemm as gemm
from bench.worker.measures.forward import Key, Loaded, checked, key_of, load_all, sample, settle
from bench.worker.monitor import Reading
from bench.worker.session import Session

BATCHES = 64
"""Batches drawn in a process; rounds go through them in turn, and again."""
QUANTILES = (0.5, 0.9, 1.0)
"""Of the lengths of all the text's sequences; 1.0 is the longest."""


@dataclass(frozen=True)
class Batch:
    """One batch as a model's tokenizer cuts it; `words` are those that were not cut off."""

    inputs: dict[str, torch.Tensor]
    tokens: int
    padding: int
    words: int


def measure(session: Session) -> None:
    """Load every model once, then sample each batch size over all of them."""
    engines = load_all(session)
    if session.job.text is None:
        raise BenchError("a job for text has no text")
    text = read(Path(session.job.text))
    tokenizers = {name: load_tokenizer(session, name) for name, *_ in engines}
    for group in session.job.groups():
        cases = [case for case in group if key_of(case) in engines]
        if cases:
            session.begin(cases)
            _measure_group(session, engines, tokenizers, text, cases)


def load_tokenizer(session: Session, model: str) -> Any:
    """The model's own tokenizer, cutting at the most tokens that the model takes."""
    case = next(c for c in session.job.cases if c.model == model)
    tokenizer = AutoTokenizer.from_pretrained(
        session.directory(case), local_files_only=True, trust_remote_code=False
    )
    arch = next(m for m in session.job.models if m.name == model).architecture
    if arch is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, arch.max_tokens)
    return tokenizer


def _measure_group(
    session: Session,
    engines: dict[Key, Loaded],
    tokenizers: dict[str, Any],
    text: Text,
    cases: list[Case],
) -> None:
    seed = f"{session.job.seed}/{session.job.process}/{cases[0].group}"
    drawn = text.batches(cases[0].workload.batch_size, BATCHES, seed)
    before = Reading.now()
    with session.spend("tokenize_s"):
        tokenized = _tokenize_in_turn(session, {c.id: tokenizers[c.model] for c in cases}, drawn)
    batches = {
        case.id: [_encode(tokenizers[case.model], lines, case.device) for lines in drawn]
        for case in cases
    }
    found, gemms, facts = sample_batches(session, engines, batches, cases)
    disturbed = Reading.now().metrics(before)
    for case in cases:
        if case.id not in found:
            continue
        values = rates(found[case.id], batches[case.id])
        values |= _share(session, case, found[case.id], batches[case.id], gemms)
        values["tokenize_time"] = statistics.median(t.wall_s for t in tokenized[case.id])
        if session.job.process == 1:  # counted, so once is enough
            values |= lengths(tokenizers[case.model], text)
        session.measured(case, values | facts[case.id] | disturbed)
        # Last: they say that this process is whole.
        session.samples(case, tokenized[case.id] + found[case.id])


def sample_batches(
    session: Session,
    engines: dict[Key, Loaded],
    batches: Mapping[str, Sequence[Batch]],
    cases: list[Case],
) -> tuple[dict[str, list[Sample]], list[Sample], dict[str, dict[str, float]]]:
    """Sample forwards of which each round takes its own batch, the same one of all cases.

    Returns all timed forwards by case, the reference GEMM's beside them, and metrics by case.
    """
    turn = [0]  # which batch the forwards of this round take
    facts: dict[str, dict[str, float]] = {}

    def prepare(case: Case) -> Callable[[], object]:
        loaded = engines[key_of(case)]
        facts[case.id] = checked(session, loaded, case)
        forwards = [loaded.engine.bind(batch.inputs) for batch in batches[case.id]]
        shapes = [tuple(batch.inputs["input_ids"].shape) for batch in batches[case.id]]
        settle(session, case, dict(zip(shapes, forwards, strict=True)).values())

        def forward() -> object:  # `turn` moves on from round to round
            return forwards[turn[0]]()

        return forward

    def begin_round(number: int) -> None:
        turn[0] = number % BATCHES

    found, gemms = sample(session, cases, prepare, begin_round)
    return found, gemms, facts


def _share(
    session: Session, case: Case, found: list[Sample], batches: list[Batch], gemms: list[Sample]
) -> dict[str, float]:
    """How fast the case ran beside the reference GEMM, each batch with its own padded length."""
    arch = session.named(case.model)[0].architecture
    if arch is None:
        return {}
    shapes = [batch.inputs["input_ids"].shape for batch in batches]
    head = case.variant.head
    counted = [forward_flops(arch, Workload(*map(int, shape)), head) for shape in shapes]
    return gemm.share(case, lambda n: counted[n % BATCHES], found, gemms)


def _tokenize_in_turn(
    session: Session, tokenizers: dict[str, Any], drawn: list[list[str]]
) -> dict[str, list[Sample]]:
    """Time each tokenizer on each batch, one after the other on the same lines."""
    timed: dict[str, list[Sample]] = {name: [] for name in tokenizers}
    clock = session.clock
    for tokenizer in tokenizers.values():
        _cut(tokenizer, drawn[0])  # its first call sets it up
    for number, lines in enumerate(drawn, start=1):
        for name, tokenizer in tokenizers.items():
            cpu, wall = clock.cpu_ns(), clock.wall_ns()
            _cut(tokenizer, lines)
            wall_end, cpu_end = clock.wall_ns(), clock.cpu_ns()
            seconds = (wall_end - wall) * NS, (cpu_end - cpu) * NS
            timed[name].append(Sample(Phase.TOKENIZE, number, wall * NS, *seconds))
    return timed


def _cut(tokenizer: Any, lines: list[str], **more: object) -> Any:
    """Tokenize as a user would: padded to the longest of the batch, cut at the model's limit."""
    return tokenizer(lines, padding=True, truncation=True, return_tensors="pt", **more)


def _encode(tokenizer: Any, lines: list[str], device: str) -> Batch:
    cut = _cut(tokenizer, lines, return_offsets_mapping=tokenizer.is_fast)
    words = sum(len(line.split()) for line in lines)
    if tokenizer.is_fast:
        ends = cut.pop("offset_mapping")[..., 1].max(dim=1).values.tolist()
        words = sum(len(line[:end].split()) for line, end in zip(lines, ends, strict=True))
    tokens, places = int(cut["attention_mask"].sum()), cut["attention_mask"].numel()
    return Batch({k: v.to(device) for k, v in cut.items()}, tokens, places - tokens, words)


def rates(timed: list[Sample], batches: list[Batch]) -> dict[str, float]:
    """Tokens and words per second of forward, padding's share, and tokens per word.

    Tokens count special ones and not padding. Each sample stands for its own batch.
    """
    samples = [(t.wall_s, batches[t.round % BATCHES]) for t in timed if t.phase is Phase.SAMPLE]
    seconds = sum(wall for wall, _ in samples)
    tokens = sum(batch.tokens for _, batch in samples)
    words = sum(batch.words for _, batch in samples)
    padding = sum(batch.padding for _, batch in samples)
    return {
        "throughput_tokens": tokens / seconds,
        "throughput_words": words / seconds,
        "padding_share": padding / (padding + tokens),
        "tokens_per_word": tokens / max(words, 1),
    }


def lengths(tokenizer: Any, text: Text) -> dict[str, float]:
    """How long the text's sequences are in this tokenizer's tokens, and how many are cut off."""
    full = sorted(len(ids) for ids in tokenizer(list(text.lines), verbose=False)["input_ids"])
    limit = tokenizer.model_max_length
    found: dict[str, float] = {"text_truncated": sum(n > limit for n in full)}
    for quantile in QUANTILES:
        place = min(int(quantile * len(full)), len(full) - 1)
        found[f"text_length.p{quantile * 100:.0f}"] = min(full[place], limit)
    return found
