"""Downloads checkpoints ahead of a run, or checks cached ones: the body of `bench fetch`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.checkpoints.hub import Note
from bench.checkpoints.resolve import Checkpoint, update, verify_checkpoint
from bench.core.architecture import Model
from bench.core.errors import BenchError, UsageError


def fetch(models: Iterable[Model], revision: str | None, *, show: Note, note: Note) -> None:
    """Download what the cache lacks, and show one line for each model.

    Goes on to the next model after a failure; raises UsageError at the end, one line for each.
    """
    failures = []
    for model in models:
        try:
            show(describe(model, update(model, revision, note)))
        except UsageError as error:  # noqa: PERF203 - each model by itself
            failures.append(f"{model.name}: {error}")
    if failures:
        raise UsageError("\n".join(failures))


def verify_cached(models: Iterable[Model], revision: str | None, *, show: Note) -> None:
    """Read every cached file again and compare it with the hash that the hub announced for it.

    Asks nothing of the network and changes nothing. Raises BenchError, one line for each model
    that is missing or damaged.
    """
    failures = []
    for model in models:
        try:
            show(describe(model, verify_checkpoint(model, revision)))
        except UsageError as error:  # noqa: PERF203 - each model by itself
            failures.append(f"{model.name}: {error}")
    if failures:
        raise BenchError("\n".join(failures))


def describe(model: Model, held: Checkpoint) -> str:
    """Say what is held: which commit, how large, whether its hashes are right, and where."""
    commit = held.revision[:12] or "(directory)"
    hashes = "hashes right" if held.verified else "no hashes to compare with"
    return (
        f"{model.name}  {commit}  {held.size / 1e6:.1f} MB  sha256 {held.sha256[:12]}  "
        f"{hashes}  {_short(held.directory)}"
    )


def _short(path: Path) -> str:
    """Write the home directory as ~."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
