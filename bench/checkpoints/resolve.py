"""Finds a model's pretrained checkpoint, in the parent, before any worker starts or clock runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.checkpoints import hub
from bench.checkpoints.hub import Note, silence
from bench.checkpoints.retry import HubError
from bench.checkpoints.validate import (
    CONFIG,
    check_hash,
    check_shapes,
    read_config,
    read_shapes,
    sha256,
)
from bench.core.architecture import Model, Weights
from bench.core.checkpoint_files import weight_files
from bench.core.errors import DamagedError, UnusableError, UsageError


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this disk: its directory, commit (empty for a plain directory) and weights.

    `size` is the bytes of the safetensors files; `sha256` is over those files in name order.
    `verified` says that every file has the hash that the hub announced for it.
    """

    directory: Path
    revision: str
    size: int
    sha256: str
    verified: bool = False


def resolve(
    model: Model, weights: Weights, revision: str | None = None, note: Note = silence
) -> tuple[Checkpoint | None, str]:
    """Find the checkpoint to load, or None and the reason why random weights are to be used.

    `note` gets one line on what is downloaded. Raises UsageError when pretrained weights are
    asked for and cannot be had, or when a model without published architecture facts has no
    checkpoint.
    """
    if weights is Weights.RANDOM and model.architecture is not None:
        return None, "as asked"
    if model.is_directory:
        return describe(Path(model.source).expanduser()), ""
    can_be_random = weights is Weights.AUTO and model.architecture is not None
    try:
        found = _from_hub(model.source, revision or model.revision, quick=can_be_random, note=note)
    except UsageError as error:
        if can_be_random:
            return None, str(error)
        remedy = ", or use --weights random" if model.architecture is not None else ""
        raise UsageError(
            f"no pretrained weights for {model.name}: {error}. "
            f"Connect, or point HF_HOME at a cache or --model at a directory that has them{remedy}"
        ) from None
    return found, ""


def update(model: Model, revision: str | None = None, note: Note = silence) -> Checkpoint:
    """Find the model's checkpoint, downloaded where the cache lacks it or holds another commit."""
    if model.is_directory:
        return describe(Path(model.source).expanduser())
    return _from_hub(model.source, revision or model.revision, quick=False, note=note)


def verify_checkpoint(model: Model, revision: str | None = None) -> Checkpoint:
    """Find the model's cached checkpoint, every file checked, without asking the hub.

    Raises UsageError where it is not in the cache or not whole.
    """
    if model.is_directory:
        return describe(Path(model.source).expanduser())
    directory = hub.cached(model.source, revision or model.revision)
    if directory is None:
        raise UsageError(f"the cache has no {model.source}: `bench fetch {model.name}` brings it")
    return describe(directory, directory.name)


def describe(directory: Path, revision: str = "") -> Checkpoint:
    """Check a directory's checkpoint file by file, and take its size and hash.

    Raises UnusableError for one that cannot be loaded, DamagedError naming the file at fault.
    """
    if not directory.is_dir():
        raise UsageError(f"no directory {directory}: give one with {CONFIG} and model.safetensors")
    try:
        return _describe(directory, revision)
    except OSError as error:
        raise UsageError(
            f"{error.filename or directory} cannot be read: {error.strerror}"
        ) from None


def _describe(directory: Path, revision: str) -> Checkpoint:
    config, files = read_config(directory), weight_files(directory)
    shapes: dict[str, tuple[int, ...]] = {}
    for file in files:
        shapes.update(read_shapes(file))
    check_shapes(directory, config, shapes)
    # The weights' hash is part of every result; that it is checked too costs nothing more.
    hashes = {file: check_hash(file) for file in files}
    others = [f for f in sorted(directory.iterdir()) if f.is_file() and f not in hashes]
    verified = None not in hashes.values() and None not in [check_hash(f) for f in others]
    only = next(iter(hashes.values())) if len(files) == 1 else None
    size = sum(f.stat().st_size for f in files)
    return Checkpoint(directory, revision, size, only or sha256(files), verified)


def _from_hub(source: str, revision: str | None, *, quick: bool, note: Note) -> Checkpoint:
    """From the cache where the revision is a commit, else as the hub has it now, else cached.

    A branch can move, so the hub is asked where it points; a commit cannot.
    """
    kept, problem = _from_cache(source, revision, note)
    pinned = hub.COMMIT.fullmatch(revision or "") is not None
    # transformers caches weights without the tokenizer; then the rest is worth asking for.
    whole = kept is not None and pinned and hub.has_tokenizer(kept.directory)
    if kept is not None and (whole or hub.is_offline()):
        return kept
    if hub.is_offline():
        raise problem or UsageError(f"HF_HUB_OFFLINE is set and the cache has no {source}")
    try:
        directory = hub.download(source, revision, quick=quick or kept is not None, note=note)
    except HubError as error:
        if kept is None:
            raise problem or error from None
        note(f"{source}: the cached commit {kept.revision[:12]}, because {error}")
        return kept
    if kept is not None and kept.directory == directory:
        return kept
    try:
        return describe(directory, directory.name)
    except DamagedError as error:
        hub.discard(error.path)
        raise


def _from_cache(
    source: str, revision: str | None, note: Note
) -> tuple[Checkpoint | None, UnusableError | None]:
    """Find the cached checkpoint, or what is wrong with it; a damaged file is removed."""
    directory = hub.cached(source, revision)
    if directory is None:
        return None, None
    try:
        return describe(directory, directory.name), None
    except DamagedError as error:
        note(f"{error}: removed from the cache")
        if not hub.is_offline():
            hub.discard(error.path)
        return None, error
    except UnusableError as error:
        return None, error
