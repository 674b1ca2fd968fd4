"""Fetches a model's files from the hub into its cache; whatever goes wrong is one clear line."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.checkpoints.retry import HubError, in_time, patient, retrying
from bench.checkpoints.validate import CONFIG, read_config
from bench.core.checkpoint_files import INDEX, WEIGHTS
from bench.core.errors import UnusableError, UsageError

COMMIT = re.compile("[0-9a-f]{40}")
SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
TOKENIZER_FILES = frozenset(
    (
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "spiece.model",
        "sentencepiece.bpe.model",
        "tokenizer.model",
    )
)
"""Read by transformers' tokenizers; pickled weights and other frameworks' files are left alone."""

WORTH_A_NOTE = 1_000_000
"""Bytes of a file of which the download is announced."""

Note = Callable[[str], None]


def silence(_text: str) -> None:
    """Note nothing."""


def cached(source: str, revision: str | None) -> Path | None:
    """Return the cached snapshot of `source`, complete or not, without asking the hub."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(source, CONFIG, revision=revision)
    except HFValidationError as error:
        raise HubError(_first_line(error)) from None
    return Path(found).parent if isinstance(found, str) else None


def has_tokenizer(directory: Path) -> bool:
    """Tell whether a checkpoint's directory has a tokenizer beside the weights."""
    return any((directory / name).is_file() for name in TOKENIZER_FILES)


def is_offline() -> bool:
    """Tell whether HF_HUB_OFFLINE forbids asking the hub."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def download(
    source: str, revision: str | None, *, quick: bool = False, note: Note = silence
) -> Path:
    """Bring every file of `source` that a run needs into the cache; returns its snapshot.

    The config is fetched and checked first, so that an unsuitable model costs no large download.
    `quick` does not retry. Raises HubError, or UnusableError for what cannot be benchmarked.
    """
    from huggingface_hub import hf_hub_download

    with patient(quick=quick), _one_line(source, revision):
        info = _ask(source, revision, quick=quick)
        sizes = {s.rfilename: s.size or 0 for s in info.siblings or ()}
        names = _needed(source, sizes)
        note(f"{source} at {info.sha[:12]}")

        def get(name: str, at: str | None) -> Path:
            return Path(retrying(lambda: hf_hub_download(source, name, revision=at), quick=quick))

        # At the revision's own name, so that the cache learns which commit it stands for.
        directory = get(CONFIG, revision).parent
        read_config(directory)
        missing = [name for name in names if not (directory / name).is_file()]
        _check_room(source, sum(sizes[name] for name in missing))
        for name in missing:
            if sizes[name] >= WORTH_A_NOTE:
                note(f"downloading {name} ({sizes[name] / 1e6:.1f} MB)")
            _discard_leftovers(get(name, info.sha))
        return directory


def discard(path: Path) -> None:
    """Remove a damaged file from the cache, so that the next download brings it anew."""
    blob = path.resolve()
    path.unlink(missing_ok=True)
    if blob.parent.name == "blobs":
        blob.unlink(missing_ok=True)


def _needed(source: str, names: Collection[str]) -> list[str]:
    """Choose the files a run needs, small ones first."""
    if CONFIG not in names:
        raise UnusableError(f"{source} has no {CONFIG}: it is not a transformers model")
    shards = sorted(n for n in names if SHARD.fullmatch(n)) if INDEX in names else []
    weights = [WEIGHTS] if WEIGHTS in names else shards and [INDEX, *shards]
    if not weights:
        others = sorted(n for n in names if n.endswith((".bin", ".pt", ".h5", ".msgpack")))
        also = f": only {', '.join(others[:3])}, and pickled weights are never loaded"
        raise UnusableError(f"{source} has no {WEIGHTS}{also if others else ''}")
    return [CONFIG, *sorted(TOKENIZER_FILES & set(names)), *weights]


def _ask(source: str, revision: str | None, *, quick: bool) -> Any:
    """Learn from the hub which commit `source` is at and which files it has."""
    from huggingface_hub import HfApi, constants

    def ask() -> Any:
        return HfApi().model_info(source, revision=revision, files_metadata=True)

    return retrying(lambda: in_time(ask, constants.ENDPOINT, quick=quick), quick=quick)


@contextmanager
def _one_line(source: str, revision: str | None) -> Iterator[None]:
    """Turn whatever huggingface_hub raises into a HubError of one line."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except UsageError:
        raise
    except (HTTPError, OSError, ValueError, TypeError) as error:
        raise HubError(_explain(error, source, revision)) from None


def _explain(error: Exception, source: str, revision: str | None) -> str:
    from huggingface_hub import constants, errors

    while isinstance(error, errors.LocalEntryNotFoundError) and isinstance(
        error.__cause__, Exception
    ):
        error = error.__cause__  # "not in the cache either" says less than why it was not fetched
    hub, first = constants.ENDPOINT, _first_line(error)
    if isinstance(error, errors.HfHubHTTPError):
        return _explain_status(error, hub, source, revision)
    if isinstance(error, errors.HTTPError):  # type: ignore[attr-defined]
        return f"{hub} cannot be reached ({first})"
    if not isinstance(error, OSError):
        return f"{hub} gave an answer about {source} that is not a hub's ({first})"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no room for {source} in {constants.HF_HUB_CACHE}: free some or set HF_HOME"
    if error.errno is not None:
        return f"cannot write to {constants.HF_HUB_CACHE} ({first})"
    return f"the download of {source} is not what {hub} announced ({first})"


def _explain_status(error: Any, hub: str, source: str, revision: str | None) -> str:
    from huggingface_hub import errors

    status = error.response.status_code
    if isinstance(error, errors.GatedRepoError) or status == 403:
        return (
            f"{hub} does not give {source} to everyone (HTTP {status}): accept its terms on "
            "its page there, then set HF_TOKEN"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{source} has no revision {revision!r} at {hub}"
    if isinstance(error, errors.RepositoryNotFoundError) or status == 401:
        return f"{hub} has no model {source} (HTTP {status}), or none without HF_TOKEN"
    return f"{hub} answered HTTP {status} for {source}"


def _first_line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)


def _check_room(source: str, needed: int) -> None:
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    there = next(p for p in (cache, *cache.parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise HubError(
            f"no room for {source} in {cache}: it needs {needed / 1e6:.1f} MB, "
            f"{free / 1e6:.1f} MB are free; free some or set HF_HOME"
        )


def _discard_leftovers(path: Path) -> None:
    """Remove what killed downloads of this file left; the file itself is complete by now.

    huggingface_hub names partial files anew each time and never takes one up again.
    """
    if path.is_symlink():
        blob = path.resolve()
        for leftover in blob.parent.glob(f"{blob.name}.*.incomplete"):
            leftover.unlink(missing_ok=True)
