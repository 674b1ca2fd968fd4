"""Before a run: models found, checkpoints fetched, cases planned, the machine described."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.checkpoints.hub import Note, has_tokenizer, silence
from bench.checkpoints.resolve import Checkpoint, resolve
from bench.core.case import TIMED, Case, Model, Sampling, Status, Weights, group_of
from bench.core.english import several
from bench.core.errors import UsageError
from bench.machine import fingerprint as environment
from bench.plan.corpus import Text
from bench.plan.corpus import read as read_text
from bench.plan.grid import make_cases, with_weights_to_read
from bench.plan.options import Options, Source
from bench.plan.registry import all_suites, pick_models, pick_suites, read_architecture
from bench.results import store as records
from bench.runner.process import probe
from bench.runner.runner import identity, utc_now

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prepared:
    """All that a run needs to begin: what to measure, with what, and a description of both."""

    options: Options
    models: tuple[Model, ...]
    checkpoints: dict[str, Checkpoint | None]
    sources: dict[str, Source]
    cases: tuple[Case, ...]
    notes: tuple[str, ...]
    machine: dict[str, Any]
    software: dict[str, Any]
    text: Text | None = None

    def describe(self, run_id: str, started: str) -> dict[str, Any]:
        """The contents of `environment.json` at the start of a run."""
        return {
            "run": {
                "id": run_id,
                "started": started,
                "finished": None,
                "state": "running",
                "profile": self.options.profile,
                "suites": list(dict.fromkeys(c.suite for c in self.cases)),
                "models": [m.name for m in self.models],
                "weights_asked": self.options.weights.value,
                "options": asdict(self.options),
                "text": self.text.facts() if self.text else None,
                "plan": [identity(c, self.sources) for c in self.cases],
                "checkpoints": {n: c.sha256 if c else "" for n, c in self.checkpoints.items()},
            },
            "machine": self.machine,
            "software": self.software,
            "fingerprint": environment.fingerprint(
                self.machine, self.software, self.options.threads
            ),
            "warnings": list(self.notes),
        }


def prepare(
    options: Options, weights: Mapping[str, Weights] | None = None, tell: Note = silence
) -> Prepared:
    """Check the options against suites, models and machine, and fetch what has to be fetched.

    `weights` gives the kind of weights per model name where an earlier part of the run fixed it;
    `tell` hears what is downloaded while it is.
    """
    suites = pick_suites(options.suites, options.text)
    text = read_text(Path(options.text)) if options.text else None
    models = pick_models(options.models)
    # Cheap checks come before the download and the probe: a typo is answered at once.
    make_cases(suites, models, dataclasses.replace(options, devices=options.devices or ("cpu",)))
    checkpoints: dict[str, Checkpoint | None] = {}
    reasons: dict[str, str] = {}
    for i, model in enumerate(models):
        asked = (weights or {}).get(model.name, options.weights)
        found, reasons[model.name] = resolve(model, asked, options.revision, tell)
        checkpoints[model.name] = found
        if model.architecture is None and found is not None:
            models[i] = dataclasses.replace(model, architecture=read_architecture(found.directory))
    software = environment.machine(), probe()
    options = dataclasses.replace(options, devices=devices_here(options.devices, software[1]))
    sources = {m.name: _source(m, checkpoints[m.name]) for m in models}
    if text is not None:
        _check_tokenizers(sources, reasons)
    random = {n: reasons[n] for n, s in sources.items() if s.weights == Weights.RANDOM.value}
    cases, notes = with_weights_to_read(*make_cases(suites, models, options), random)
    return Prepared(
        options,
        tuple(models),
        checkpoints,
        sources,
        tuple(cases),
        (*_weight_notes(reasons), *notes),
        *software,
        text,
    )


def _check_tokenizers(sources: Mapping[str, Source], reasons: Mapping[str, str]) -> None:
    """A text needs each model's own tokenizer, which comes with its checkpoint."""
    for name, source in sources.items():
        if source.directory is None or not has_tokenizer(Path(source.directory)):
            why = f" ({reasons[name]})" if reasons[name] else ""
            raise UsageError(
                f"--text needs the tokenizer of {name}, which comes with its checkpoint{why}: "
                f"`bench fetch {name}` brings both"
            )


def _source(model: Model, checkpoint: Checkpoint | None) -> Source:
    if checkpoint is not None:
        return Source(str(checkpoint.directory.absolute()), Weights.PRETRAINED.value)
    return Source(model.source if model.is_directory else None, Weights.RANDOM.value)


def _weight_notes(reasons: Mapping[str, str]) -> list[str]:
    """Say once that weights are random, and why; an empty reason is for pretrained ones."""
    return [
        f"random weights for {several(n for n, r in reasons.items() if r == why)} ({why}): "
        "the same architecture, so speed and memory hold; outputs mean nothing"
        for why in dict.fromkeys(filter(None, reasons.values()))
    ]


def devices_here(asked: tuple[str, ...], software: Mapping[str, Any]) -> tuple[str, ...]:
    """The devices to measure: those asked for, else the CPU and, where torch sees one, CUDA.

    Raises UsageError for one that is not there.
    """
    count = len(software["gpus"])
    for device in asked:
        index = int(device.partition(":")[2] or 0)
        if device.startswith("cuda") and index >= count:
            raise UsageError(
                f"--device is {device}: torch {software['torch']} sees {count or 'no'} CUDA "
                "device(s) here; use --device cpu"
            )
    return asked or (("cpu", "cuda") if count else ("cpu",))


def restore(directory: Path) -> tuple[Prepared, records.Run]:
    """The preparation of an interrupted run, made again and checked to be the same.

    The run comes back without what is not whole: see `whole_repeats`. Raises UsageError when the
    machine, the software, the checkpoints or the plan have changed:
    a run is measured under one set of conditions or not at all.
    """
    run = records.read_run(directory)
    recorded = run.environment["run"]
    try:
        weights = {row["model"]: Weights(row["weights"]) for row in recorded["plan"]}
        options = restore_options(recorded["options"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{directory} cannot be resumed: its {records.ENVIRONMENT} is of another version of "
            f"bench ({error})"
        ) from None
    prepared = prepare(options, weights)
    plan = prepared.describe(run.id, utc_now())
    for what, now, then in (
        ("the machine or the software", plan["fingerprint"], run.environment["fingerprint"]),
        ("the plan", plan["run"]["plan"], recorded["plan"]),
        ("the text", plan["run"]["text"], recorded.get("text")),
        ("a checkpoint", plan["run"]["checkpoints"], recorded.get("checkpoints")),
    ):
        if now != then:
            raise UsageError(
                f"{directory} cannot be resumed: {what} changed since; start a new run"
            )
    return prepared, whole_repeats(run)


def restore_options(data: dict[str, Any]) -> Options:
    """Options from the JSON that `dataclasses.asdict` made of them."""
    lists = {k: tuple(v) for k, v in data.items() if isinstance(v, list)}
    return Options(
        **{
            **data,
            **lists,
            "weights": Weights(data["weights"]),
            "sampling": Sampling(**data["sampling"]),
        }
    )


def whole_repeats(run: records.Run) -> records.Run:
    """The run without repeats in which a model of a group is missing: they cannot be paired.

    A case that failed stays as it is, and its group goes on without it.
    """
    failed = set(run.cases.loc[run.cases["status"] != Status.OK.value, "case"])
    members: dict[str, set[str]] = {}
    suites = {suite.name for suite in all_suites().values() if suite.measure in TIMED}
    timed = set()
    for row in run.environment["run"]["plan"]:
        group = group_of(row["case"])
        if row["case"] not in failed:
            members.setdefault(group, set()).add(row["case"])
        if row["suite"] in suites:
            timed.add(group)
    present = run.samples.groupby("repeat")["case"].agg(set).to_dict()

    def whole(table: pd.DataFrame) -> pd.DataFrame:
        groups = table["group"] if "group" in table else table["case"].map(group_of)
        keep: list[bool] = [
            group not in timed or members.get(group, set()) <= present.get(repeat, set())
            for group, repeat in zip(groups, table["repeat"], strict=True)
        ]
        return table.loc[np.array(keep, dtype=bool)]

    return dataclasses.replace(
        run,
        samples=whole(run.samples),
        measurements=whole(run.measurements),
        rounds=whole(run.rounds),
        gemm=whole(run.gemm),
    )


def take_up(
    run: records.Run, writer: records.RunWriter
) -> tuple[dict[str, Status], dict[str, set[int]]]:
    """Write what is whole in an interrupted run; returns its finished cases and whole repeats.

    A case that had ended well and whose repeats are not all here any more (a file was cut short or
    lost) is open again: what is missing of it is measured like anything else that is.
    """
    repeats = repeats_done(run)
    whole = [
        status != Status.OK.value or len(repeats.get(case, ())) >= wanted
        for case, status, wanted in run.cases[["case", "status", "repeats"]].to_numpy()
    ]
    run = dataclasses.replace(run, cases=run.cases[np.array(whole, dtype=bool)])
    for table in records.RAW:
        writer.write_table(table, getattr(run, table))
    return {str(row.case): Status(str(row.status)) for row in run.cases.itertuples()}, repeats


def repeats_done(run: records.Run) -> dict[str, set[int]]:
    """Whole repeats that an interrupted run already holds, by case."""
    found: dict[str, set[int]] = {}
    for table in (run.measurements, run.samples):
        for case, repeats in table.groupby("case")["repeat"]:
            found[str(case)] = set(map(int, repeats))
    return found
