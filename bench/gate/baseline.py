"""Baselines: runs kept under a name in the repository, to compare later runs with."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from bench import records
from bench.errors import UsageError

BASELINES = Path("results/baselines")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
SAMPLES_LIMIT = 256 * 1024
"""Bytes of raw samples that are worth committing; summary and ratios are kept in any case."""
KEPT = ("cases", "measurements", "summary", "ratios")


def keep(run: Path, name: str, root: Path = BASELINES) -> tuple[Path, list[str]]:
    """Copy the small files of a finished run to a baseline; returns it and what was left out.

    An existing baseline of that name is replaced: its history is git's to keep.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"--name is {name!r}: use letters, digits, dots, dashes and underscores")
    state = records.read_environment(run)["run"]["state"]
    if state != "complete":
        raise UsageError(f"{run} is {state}: finish it first with bench run --resume {run}")
    directory, files = root / name, [f"{table}.csv" for table in KEPT]
    left_out = []
    samples = run / "samples.csv"
    if samples.exists() and samples.stat().st_size <= SAMPLES_LIMIT:
        files.append(samples.name)
    elif samples.exists():
        left_out.append(f"{samples.name} ({samples.stat().st_size / 1e6:.1f} MB)")
    records.read_run(run)  # nothing that cannot be read becomes a baseline
    if directory.resolve() == run.resolve():
        raise UsageError(f"{run} is the baseline {name!r} already")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for file in (*files, records.ENVIRONMENT):
        if (run / file).exists():
            shutil.copyfile(run / file, directory / file)
    return directory, left_out


def find(name: str, root: Path = BASELINES) -> Path:
    """The directory of a run: a path, or the name of a baseline."""
    path = Path(name)
    if path.is_dir():
        return path
    if NAME.fullmatch(name) and (root / name).is_dir():
        return root / name
    kept = sorted(p.name for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    known = f"baselines here: {', '.join(kept)}" if kept else f"no baselines in {root} yet"
    raise UsageError(
        f"no run or baseline {name!r} ({known}); make one with bench baseline RUN --name NAME"
    )
