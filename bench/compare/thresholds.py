"""Thresholds: the smallest regression that must be found, for all cases, a suite or a case."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError
from bench.plan.registry import all_suites

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same parser under its older name
    import tomli as tomllib

DEFAULT = 0.05
"""Finer than most changes that matter, and within reach of a loaded 2-core machine in minutes."""
USUAL_MAX_S = 900.0
"""Seconds of a gate run unless --max-time says otherwise: a quarter of an hour of somebody's CI."""
SUITE = "check"
"""What stands as the suite in the ids of the cases of `bench check`."""
PYPROJECT = "pyproject.toml"


@dataclass(frozen=True)
class Thresholds:
    """Fractions by case: `special` maps a suite's name, or a pattern of case ids, to its own."""

    default: float = DEFAULT
    special: Mapping[str, float] = field(default_factory=dict)

    def of(self, case: str) -> float:
        """The threshold of a case: the last entry that names its suite or fits its id."""
        suite = case.partition("/")[0]
        found = self.default
        for pattern, value in self.special.items():
            if pattern == suite or fnmatchcase(case, pattern):
                found = value
        return found


def parse(text: str | float, where: str) -> float:
    """A fraction from `5%`, `0.5%` or `0.05`; `where` says what it stands in, for the error."""
    try:
        if isinstance(text, str) and text.strip().endswith("%"):
            value = float(text.strip()[:-1]) / 100
        else:
            value = float(text)
    except (TypeError, ValueError):
        raise UsageError(f"{where} is {text!r}: give a share like 5% or 0.05") from None
    if not 0 < value < 1:
        raise UsageError(f"{where} is {text}: give a share between 0 and 100 %, like 5% or 0.05")
    return value


def read(directory: Path, option: str | None) -> Thresholds:
    """Thresholds from `[tool.bench]` of the pyproject.toml in `directory`.

    `option` (from `--threshold`) replaces the general one; those of suites and cases stay.
    """
    path = directory / PYPROJECT
    table = _table(path)
    unknown = set(table) - {"threshold", "thresholds"}
    if unknown:
        raise UsageError(f"{path}: [tool.bench] has no setting {min(unknown)!r}")
    special = table.get("thresholds", {})
    if not isinstance(special, dict):
        raise UsageError(f"{path}: tool.bench.thresholds must be a table of suites and cases")
    _refuse_unknown_suites(special, path)
    given = table.get("threshold", DEFAULT)
    return Thresholds(
        parse(given, f"{path}: tool.bench.threshold")
        if option is None
        else parse(option, "--threshold"),
        {k: parse(v, f"{path}: tool.bench.thresholds.{k!r}") for k, v in special.items()},
    )


def _refuse_unknown_suites(special: Mapping[str, object], path: Path) -> None:
    """What a pattern has before its first slash must fit a suite, or it never fits a case."""
    known = [*all_suites(), SUITE]
    for pattern in special:
        if not any(fnmatchcase(suite, pattern.partition("/")[0]) for suite in known):
            raise UsageError(
                f"{path}: tool.bench.thresholds has {pattern!r}, which fits no suite: there are "
                f"{', '.join(known)}"
            )


def toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def _table(path: Path) -> dict[str, Any]:
    table = toml(path).get("tool", {}).get("bench", {}) if path.exists() else {}
    if not isinstance(table, dict):
        raise UsageError(f"{path}: tool.bench must be a table")
    return table
