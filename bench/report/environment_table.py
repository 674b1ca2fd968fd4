"""Tables of where a run was measured: machine, software, options, and its pretrained weights."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bench.report.table import Table
from bench.report.view import View
from bench.wording.numbers import quantity


def environment_table(views: list[View]) -> Table:
    """Machine, software, fingerprint and options, a column per run."""
    columns = [_flat(view) for view in views]
    keys = list(dict.fromkeys(k for column in columns for k in column))
    rows = [[key, *(column.get(key, "–") for column in columns)] for key in keys]
    heads = [v.run.id for v in views] if len(views) > 1 else ["Value"]
    return Table("environment-table", "Environment", ["What", *heads], rows)


def _flat(view: View) -> dict[str, str]:
    environment = view.run.environment
    facts = {k: v for k, v in view.facts.items() if k not in ("plan", "options")}
    parts = {
        "run": facts,
        "options": view.facts.get("options", {}),
        **{
            k: v for k, v in environment.items() if k not in ("run", "format", "warnings", "sanity")
        },
    }
    return {k: v for name, part in parts.items() for k, v in _entries(name, part)}


def _entries(name: str, value: Any) -> Iterable[tuple[str, str]]:
    """`machine: cpu` and its text for each leaf of nested dicts."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _entries(f"{name}: {key}".replace("_", " "), inner)
    else:
        yield name, _plain(name, value)


def _plain(name: str, value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and name.endswith(" bytes"):
        return quantity(float(value), "B")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_plain("", v) for v in value) or "none"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def sanity_table(view: View) -> Table | None:
    """The likeliest words for the mask of each sentence, by model; None with random weights."""
    rows = [
        [model, str(line["text"]), ", ".join(_prediction(one) for one in line["predictions"])]
        for model, lines in (view.run.environment.get("sanity") or {}).items()
        for line in lines
    ]
    if not rows:
        return None
    columns = ["Model", "Sentence", "Likeliest words (probability)"]
    return Table("sanity-table", "Fill-mask on two sentences", columns, rows)


def _prediction(found: Mapping[str, Any]) -> str:
    return f"{str(found['token']).strip()} ({float(found['score']):.0%})"
