"""Baselines: runs kept under a name in the repository, to compare later runs with."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from bench.core.errors import UsageError
from bench.results import store as records

BASELINES = Path("results/baselines")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
SAMPLES_LIMIT = 256 * 1024
"""Bytes of raw samples that are worth committing; summary and ratios are kept in any case."""
KEPT = ("cases", "measurements", "summary", "ratios")
SAMPLES = "samples.csv"
FILES = frozenset({*(f"{table}.csv" for table in KEPT), SAMPLES, records.ENVIRONMENT})
"""All that a baseline may hold."""


def keep(run: Path, name: str, root: Path = BASELINES) -> tuple[Path, list[str]]:
    """Copy the small files of a finished run to a baseline; returns it and what was left out.

    An existing baseline of that name is replaced: its history is git's to keep.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"--name is {name!r}: use letters, digits, dots, dashes and underscores")
    state = records.read_environment(run)["run"]["state"]
    if state != "complete":
        raise UsageError(f"{run} is {state}: finish it first with {records.resume_command(run)}")
    directory, files = root / name, FILES - {SAMPLES}
    left_out = []
    samples = run / SAMPLES
    if samples.exists() and samples.stat().st_size <= SAMPLES_LIMIT:
        files |= {SAMPLES}
    elif samples.exists():
        left_out.append(f"{SAMPLES} ({samples.stat().st_size / 1e6:.1f} MB)")
    records.read_run(run)  # nothing that cannot be read becomes a baseline
    if directory.resolve() == run.resolve():
        raise UsageError(f"{run} is the baseline {name!r} already")
    _refuse_others(directory)
    root.mkdir(parents=True, exist_ok=True)
    # Made beside it and then swapped: a copy that fails leaves the baseline that was there.
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=root) as beside:
        made = Path(beside) / "new"
        made.mkdir()
        for file in files:
            if (run / file).exists():
                shutil.copyfile(run / file, made / file)
        if directory.exists():
            directory.rename(Path(beside) / "old")
        made.rename(directory)
    return directory, left_out


def _refuse_others(directory: Path) -> None:
    """Only a baseline is replaced: a study, a whole run or anything else of that name stays."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise UsageError(f"{directory} is not a directory: remove it, or choose another --name")
    others = {p.name for p in directory.iterdir()} - FILES if directory.exists() else ()
    if others:
        raise UsageError(
            f"{directory} holds {min(others)}, so it is not a baseline and would be lost: move it "
            "away, or choose another --name"
        )


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
