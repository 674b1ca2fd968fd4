"""From suites and options to cases: models x variants x workloads x devices x threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from bench.core.architecture import Model
from bench.core.axes import AXES, Kind, Variant
from bench.core.case import Case, Compares, Workload
from bench.core.english import several
from bench.core.errors import UsageError
from bench.core.measure import Need, Processes
from bench.core.suite import Grid, Suite
from bench.plan.options import Options


def make_cases(
    suites: Sequence[Suite], models: Sequence[Model], options: Options
) -> tuple[list[Case], list[str]]:
    """All cases of a run in the order they are measured, and a note for each that is left out.

    A case that two suites share is measured once, under the suite named first. A workload that
    the user named and a model cannot take is an error; one from the profile is left out and noted.
    """
    cases: dict[tuple[object, ...], Case] = {}
    notes: list[str] = []
    for suite in suites:
        _check_limit(suite, options)
        if Need.TEXT in suite.measure.needs and options.seq_lens:
            notes.append(f"{suite.name} has lengths of its own: --seq-len changes nothing there")
        for device, variant in product(options.devices, _variants(suite, options, notes)):
            for workload in _grid(suite, options).workloads():
                takers = _takers(workload, models, options, notes)
                for model, threads in product(takers, _threads(suite, options)):
                    case = Case(
                        suite=suite.name,
                        measure=suite.measure,
                        model=model.name,
                        variant=variant,
                        workload=workload,
                        device=device,
                        threads=threads,
                        compares=suite.compares,
                    )
                    shared = "" if suite.compares is Compares.MODELS else suite.name
                    key = (shared, suite.measure, model.name, variant, workload, device, threads)
                    cases.setdefault(key, case)
    notes = list(dict.fromkeys(notes))
    if not cases:
        raise UsageError(f"nothing to measure: {'; '.join(notes) or 'no case is left'}")
    return list(cases.values()), notes


def with_weights_to_read(
    cases: list[Case], notes: list[str], random: Mapping[str, str]
) -> tuple[list[Case], list[str]]:
    """Leave cold starts out where there is no checkpoint: drawing weights is not reading them.

    `random` says of each model with random weights why it has them.
    """
    left_out = [c for c in cases if Need.CHECKPOINT in c.measure.needs and c.model in random]
    if not left_out:
        return cases, notes
    names = several(dict.fromkeys(c.model for c in left_out))
    text = f"cold start of {names} left out: with random weights there is no checkpoint to read"
    if len(left_out) == len(cases):
        raise UsageError(f"nothing to measure: {text} ({random[left_out[0].model]})")
    return [c for c in cases if c not in left_out], [*notes, text]


def _check_limit(suite: Suite, options: Options) -> None:
    """A search for the largest batch has to end: on the CPU not where the whole system does."""
    needs_limit = Need.MEMORY_LIMIT in suite.measure.needs
    if needs_limit and "cpu" in options.devices and not options.memory_limit:
        raise UsageError(f"{suite.name} on the CPU needs a limit: give --memory-limit, like 2GB")


def _variants(suite: Suite, options: Options, notes: list[str]) -> list[Variant]:
    """The variants of a suite: its own where it compares them, else what the options span."""
    if suite.compares is Compares.VARIANTS:
        return list(_chosen(suite.variants, options))
    asked = list(_spanned(options))
    if Need.PLAIN_MODULE not in suite.measure.needs:
        return asked
    notes.extend(
        f"{suite.name} is for plain torch modules: {variant} left out"
        for variant in asked
        if not variant.is_plain
    )
    return [variant for variant in asked if variant.is_plain]


def _spanned(options: Options) -> Iterator[Variant]:
    """Every combination of the axes; where an axis was not named, its default."""
    values = (options.axes.get(axis.name) or (axis.default,) for axis in AXES)
    return (Variant(*chosen) for chosen in product(*values))


def _chosen(variants: Sequence[Variant], options: Options) -> Iterator[Variant]:
    """The suite's variants that fit the axes that were named; always its reference, the first."""
    named = {name: values for name, values in options.axes.items() if values}
    of_workload = {axis.name for axis in AXES if axis.kind is Kind.WORKLOAD}
    workloads = {name: values for name, values in named.items() if name in of_workload}
    wanted = {name: values for name, values in named.items() if name not in of_workload}
    for values in product(*workloads.values()):
        for number, variant in enumerate(variants):
            fits = all(getattr(variant, name) in chosen for name, chosen in wanted.items())
            if fits or number == 0:
                yield replace(variant, **dict(zip(workloads, values, strict=True)))


def _threads(suite: Suite, options: Options) -> list[int]:
    """Thread counts: the one asked for, or all powers of two up to it where they are compared."""
    if suite.compares is not Compares.THREADS:
        return [options.threads]
    powers = [2**n for n in range(options.threads.bit_length()) if 2**n < options.threads]
    return [*powers, options.threads]


def _grid(suite: Suite, options: Options) -> Grid:
    grid = suite.grid(options.profile)
    if Need.TEXT in suite.measure.needs:
        return Grid(options.batch_sizes or grid.batch_sizes, grid.seq_lens)
    if suite.measure.processes is Processes.SEARCHED:  # the batch is what is looked for, from 1 on
        return Grid(grid.batch_sizes, options.seq_lens or grid.seq_lens)
    return Grid(options.batch_sizes or grid.batch_sizes, options.seq_lens or grid.seq_lens)


def _takers(
    workload: Workload, models: Iterable[Model], options: Options, notes: list[str]
) -> list[Model]:
    takers = []
    for model in models:
        limit = model.architecture.max_tokens if model.architecture else None
        if limit is None or workload.seq_len <= limit:
            takers.append(model)
            continue
        if workload.seq_len in options.seq_lens:
            raise UsageError(
                f"--seq-len is {workload.seq_len}: {model.name} takes at most {limit} tokens"
            )
        notes.append(
            f"{model.name} takes at most {limit} tokens: sequences of {workload.seq_len} left out"
        )
    return takers
