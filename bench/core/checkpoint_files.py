"""Which files of a directory hold the weights of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

from bench.core.errors import DamagedError, UnusableError

WEIGHTS = "model.safetensors"


INDEX = "model.safetensors.index.json"


def weight_files(directory: Path) -> list[Path]:
    """List the safetensors files that make up the weights, in name order."""
    index = directory / INDEX
    if (directory / WEIGHTS).is_file():
        return [directory / WEIGHTS]
    if not index.is_file():
        pickled = sorted(p.name for p in directory.glob("*.bin"))
        also = f" (pickled weights like {pickled[0]} are never loaded)" if pickled else ""
        raise UnusableError(f"{directory} has no {WEIGHTS}{also}")
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedError(index, f"is not an index of safetensors files ({error})") from None
    for name in sorted(names):
        if not isinstance(name, str) or Path(name).name != name:
            raise DamagedError(index, f"names the file {name!r}, which is not one beside it")
        if not (directory / name).is_file():
            raise UnusableError(f"{directory} lacks {name}, which its {INDEX} names")
    return [directory / name for name in sorted(names)]
