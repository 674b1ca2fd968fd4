"""Finds suites and models by name: the `suites` package, directories and hub ids."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterable
from pathlib import Path

from bench.core.architecture import Architecture, Model
from bench.core.errors import UsageError
from bench.core.measure import Need
from bench.core.measures import all_measures
from bench.core.suite import Suite

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
"""What the hub accepts as a repository id: `name` or `owner/name`."""

MODEL_TYPES = ("albert", "bert", "electra", "roberta")
"""Model types whose config has the names read below; the FLOP formula holds for them."""

POSITION_OFFSET = {"roberta": 2}
"""Positions that a model type keeps for padding, so that it takes that many tokens fewer."""


def all_suites() -> dict[str, Suite]:
    """Every `SUITE` in the `suites` package by name: counted ones first, timed ones last."""
    import suites

    names = [m.name for m in pkgutil.iter_modules(suites.__path__)]
    read = [_suite(name) for name in names if not name.startswith("test_")]
    found = [suite for suite in read if suite is not None]
    named = [s.name for s in found]
    for name in named:
        if named.count(name) > 1:
            raise UsageError(f"two suites are called {name!r}: rename one in its file")
    order = all_measures()  # a kind of which a part is missing is refused, asked for or not
    return {s.name: s for s in sorted(found, key=lambda s: (order.index(s.measure), s.name))}


def _suite(name: str) -> Suite | None:
    """The suite of one file; None where it has none. A file is the user's own code."""
    try:
        suite = getattr(importlib.import_module(f"suites.{name}"), "SUITE", None)
    except UsageError as error:
        raise UsageError(f"suites/{name}.py: {error}") from None
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"suites/{name}.py: {type(error).__name__}: {reason}") from error
    if suite is not None and not isinstance(suite, Suite):
        raise UsageError(f"suites/{name}.py: SUITE is a {type(suite).__name__}, not a Suite")
    return suite


def pick_suites(names: Iterable[str], text: str | None = None) -> list[Suite]:
    """The named suites; with none named, that of the text if there is one, else the usual ones."""
    known = all_suites()
    of_text = [s.name for s in known.values() if Need.TEXT in s.measure.needs]
    for name in names:
        if name not in known:
            raise UsageError(f"no suite {name!r}: choose from {', '.join(known)}")
        if name in of_text and text is None:
            raise UsageError(f"suite {name!r} needs a text: give --text FILE")
    if text is not None:
        names = [*names, *of_text]
    chosen = [known[name] for name in dict.fromkeys(names)]
    return chosen or [s for s in known.values() if s.by_default]


def pick_models(names: Iterable[str]) -> list[Model]:
    """The named models: from the registry (by name or hub id), a directory, or any hub id."""
    from suites.models import DEFAULT_MODELS, MODELS

    by_name = {m.source: m for m in reversed(MODELS)} | {m.name: m for m in MODELS}
    chosen = []
    for name in dict.fromkeys(names or DEFAULT_MODELS):
        model = by_name.get(name) or _from_directory(name)
        if model is None and HUB_ID.fullmatch(name):
            model = Model(name, name)
        if model is None:
            raise UsageError(
                f"no model {name!r}: give one of {', '.join(m.name for m in MODELS)}, "
                "a directory with a config.json, or a hub id like owner/name"
            )
        chosen.append(model)
    labels = [m.name for m in chosen]
    for label in labels:
        if labels.count(label) > 1:
            raise UsageError(f"two models are called {label!r}: rename one of the directories")
    return chosen


def _from_directory(name: str) -> Model | None:
    """A model in a local directory, named after it; None when `name` is no such directory."""
    path = Path(name).expanduser()
    if not (path / "config.json").is_file():
        return None
    absolute = path.resolve()
    label = "".join(c if c.isprintable() else "_" for c in absolute.name)
    return Model(label, str(absolute), read_architecture(absolute))


def read_architecture(directory: Path) -> Architecture | None:
    """The architecture facts in a checkpoint's config.json; None for types not known here."""
    path = directory / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        model_type = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is not a transformers config with a model_type") from None
    if model_type not in MODEL_TYPES:
        return None
    try:
        hidden = int(config["hidden_size"])
        layers = int(config["num_hidden_layers"])
        return Architecture(
            model_type=model_type,
            vocab_size=int(config["vocab_size"]),
            embedding_size=int(config.get("embedding_size", hidden)),
            hidden_size=hidden,
            layers=layers,
            heads=int(config["num_attention_heads"]),
            intermediate_size=int(config["intermediate_size"]),
            activation=str(config.get("hidden_act", "gelu")),
            distinct_layers=config.get("num_hidden_groups", layers),
            max_tokens=int(config.get("max_position_embeddings", 512))
            - POSITION_OFFSET.get(model_type, 0),
            pooler=model_type != "electra",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} lacks a usable value: {error}") from None
