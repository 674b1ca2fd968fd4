"""Before a run: models found, checkpoints fetched, cases planned, the machine described."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.checkpoints.hub import Note, has_tokenizer, silence
from bench.checkpoints.resolve import Checkpoint, resolve
from bench.core.architecture import Model, Weights
from bench.core.case import Case
from bench.core.english import several
from bench.core.errors import UsageError
from bench.core.events import Software
from bench.core.plain import to_plain
from bench.machine import fingerprint as environment
from bench.plan.corpus import Text
from bench.plan.corpus import read as read_text
from bench.plan.grid import make_cases, with_weights_to_read
from bench.plan.jobs import Source, identity
from bench.plan.options import Options
from bench.plan.registry import pick_models, pick_suites, read_architecture
from bench.runner.server import probe


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
                "options": to_plain(self.options),
                "text": self.text.facts() if self.text else None,
                "plan": [identity(c, self.sources) for c in self.cases],
                "checkpoints": {n: c.sha256 if c else "" for n, c in self.checkpoints.items()},
            },
            "machine": self.machine,
            "software": self.software,
            "fingerprint": environment.fingerprint(
                self.machine, self.software, self.options.threads, self.options.allocator
            ),
            "warnings": list(self.notes),
        }


def prepare(
    options: Options, weights: Mapping[str, Weights] | None = None, log: Note = silence
) -> Prepared:
    """Check the options against suites, models and machine, and fetch what has to be fetched.

    `weights` gives the kind of weights per model name where an earlier part of the run fixed it;
    `log` gets a line for what is being downloaded.
    """
    suites = pick_suites(options.suites, options.text)
    text = read_text(Path(options.text)) if options.text else None
    models = pick_models(options.models)
    # Cheap checks come before the download and the probe: a typo is answered at once.
    devices = options.devices or ("cpu",)
    likely, _ = make_cases(suites, models, dataclasses.replace(options, devices=devices))
    checkpoints: dict[str, Checkpoint | None] = {}
    reasons: dict[str, str] = {}
    for i, model in enumerate(models):
        asked = (weights or {}).get(model.name, options.weights)
        found, reasons[model.name] = resolve(model, asked, options.revision, log)
        checkpoints[model.name] = found
        if model.architecture is None and found is not None:
            models[i] = dataclasses.replace(model, architecture=read_architecture(found.directory))
    variants = dict.fromkeys(case.variant for case in likely)
    software = probe(variants, options.threads)
    options = dataclasses.replace(options, devices=devices_here(options.devices, software.facts))
    sources = {m.name: _source(m, checkpoints[m.name]) for m in models}
    if text is not None:
        _check_tokenizers(sources, reasons)
    random = {n: reasons[n] for n, s in sources.items() if s.weights is Weights.RANDOM}
    cases, notes = with_weights_to_read(*make_cases(suites, models, options), random)
    return Prepared(
        options,
        tuple(models),
        checkpoints,
        sources,
        tuple(cases),
        (*_weight_notes(reasons), *notes),
        environment.machine(),
        _with_packages(software, cases),
        text,
    )


def _with_packages(software: Software, cases: Iterable[Case]) -> dict[str, Any]:
    """The software as a worker sees it, with what backends and variants of these cases need."""
    used = {(case.variant, case.device.partition(":")[0]) for case in cases}
    packages: dict[str, str] = {}
    for one in software.packages:
        if (one.variant, one.device) in used:
            packages |= one.versions
    return {**software.facts, **({"packages": packages} if packages else {})}


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
        return Source(str(checkpoint.directory.absolute()), Weights.PRETRAINED)
    return Source(model.source if model.is_directory else None, Weights.RANDOM)


def _weight_notes(reasons: Mapping[str, str]) -> list[str]:
    """One note for all models with random weights, and why; pretrained ones have no reason."""
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
