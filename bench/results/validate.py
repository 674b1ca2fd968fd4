"""What the files of a run must say, beyond their form, to be taken for a run's: else one reason."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bench.core.case import Status, Stop, group_of
from bench.core.metric import Unit
from bench.core.metrics import METRICS, metric
from bench.results.schema import ABSENT, IDENTITY

if TYPE_CHECKING:
    import pandas as pd

PARTS = {
    "run": ("id", "models", "plan", "started", "state"),
    "machine": (),
    "software": (),
    "fingerprint": ("id",),
}
"""What has to be in `environment.json` for a run to be read at all."""

PHASES = ("warmup", "switch", "tokenize", "sample", "invalid")


def check_environment(environment: Mapping[str, Any]) -> None:
    """Raise ValueError, with a reason of one line, unless this describes a run."""
    for part, names in PARTS.items():
        held = environment.get(part)
        if not isinstance(held, dict):
            raise ValueError(f"it has no {part!r}")  # noqa: TRY004 - bad data, not a bad call
        missing = [name for name in names if name not in held]
        if missing:
            raise ValueError(f"no {missing[0]!r} in {part!r}")
    run = environment["run"]
    for holds, problem in _facts(environment, run):
        if not holds:
            raise ValueError(problem)
    for row in run["plan"]:
        _check_planned(row)
        if row["model"] not in run["models"]:
            raise ValueError(f"planned case {row['case'][:60]!r} is of no model of the run")


def _facts(environment: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    """What has to hold of the parts of an environment, each with what to say where it does not."""
    yield is_file_name(run["id"]), f"the run's id {str(run['id'])[:40]!r} cannot name a directory"
    for name in ("started", "state"):
        yield isinstance(run[name], str), f"{name!r} in 'run' is no text"
    yield _is_list_of(str, run["models"]), "'models' in 'run' is no list of names"
    yield _is_list_of(dict, run["plan"]), "'plan' in 'run' is no list of cases"
    options = run.get("options", {})
    sound = isinstance(options, dict) and isinstance(options.get("sampling", {}), dict)
    yield sound, "'options' in 'run' are no options"
    warnings, spent = environment.get("warnings", []), environment.get("time_spent", {})
    yield _is_list_of(str, warnings), "'warnings' is no list of sentences"
    sound = isinstance(spent, dict) and all(map(_is_number, spent.values()))
    yield sound, "'time_spent' is no table of seconds"


def is_file_name(name: object) -> bool:
    """Whether a name stays in the directory that it is looked up in, on any system."""
    return isinstance(name, str) and name == file_name(name)


def file_name(name: str) -> str:
    """`name` as one that stays in its directory: without separators, drives, leading dots."""
    return re.sub(r"[^\w .+=@~-]", "_", name).strip(". ") or "run"


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check_planned(row: Mapping[str, Any]) -> None:
    """A planned case has an id of three parts or more, and its whole identity."""
    case = row.get("case")
    if not isinstance(case, str) or case.count("/") < 2:
        raise ValueError(f"a planned case has the id {str(case)[:40]!r}")
    for name, kind in IDENTITY.items():
        wanted, value = str if kind == "str" else int, row.get(name, ABSENT.get(name))
        if not isinstance(value, wanted) or isinstance(value, bool):
            problem = f"planned case {case[:60]!r} has {value!r} for {name!r}"
            raise ValueError(problem)  # noqa: TRY004 - bad data, not a bad call


def check_tables(environment: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> None:
    """Raise ValueError, naming the file, for a row about something the run did not plan or know."""
    planned = {row["case"] for row in environment["run"]["plan"]}
    known: dict[tuple[str, str], Collection[str]] = {
        ("cases", "case"): planned,
        ("cases", "status"): [status.value for status in Status],
        ("cases", "stop"): [stop.value for stop in Stop],
        ("samples", "case"): planned,
        ("samples", "phase"): PHASES,
        ("measurements", "case"): planned,
        ("rounds", "group"): {group_of(case) for case in planned},
        ("gemm", "group"): {group_of(case) for case in planned},
        ("gemm", "phase"): PHASES,
    }
    for (table, column), words in known.items():
        for word in set(tables[table][column].unique()).difference(words):
            raise ValueError(f"{table}.csv has the unknown {column} {word[:80]!r}")
    for table in ("samples", "gemm"):
        if (tables[table]["wall_s"] <= 0).any():
            raise ValueError(f"{table}.csv has a wall_s of 0: nothing takes no time")
    again = tables["cases"]["case"].duplicated()
    if again.any():
        case = tables["cases"].loc[again, "case"].iloc[0]
        raise ValueError(f"cases.csv has two rows of {case[:80]!r}")
    for name, unit in tables["measurements"][["metric", "unit"]].drop_duplicates().to_numpy():
        if name.partition(".")[0] not in METRICS:
            raise ValueError(f"measurements.csv has the unknown metric {name[:80]!r}")
        if unit != metric(name).unit.value:
            wanted = metric(name).unit.value
            raise ValueError(f"measurements.csv has {name[:80]!r} in {unit[:20]!r}, not {wanted!r}")
    _check_counts(tables["measurements"])


def _check_counts(measurements: pd.DataFrame) -> None:
    """What is counted is whole: `23.456` parameters are 23456 that a spreadsheet has grouped."""
    for name in measurements["metric"].unique():
        one = metric(name)
        if not (one.exact or one.unit is Unit.BYTES):
            continue
        values = measurements.loc[measurements["metric"] == name, "value"]
        broken = values[values % 1 > 0]
        if len(broken):
            found = f"measurements.csv has {broken.iloc[0]:g} for {name[:80]!r}"
            raise ValueError(f"{found}: it takes a whole number")
