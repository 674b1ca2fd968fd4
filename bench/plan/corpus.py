"""A text of the user's own: read, checked, and drawn from in batches of whole lines."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench.core.errors import UsageError

MOST_LINES = 20_000
"""A longer text is thinned to about so many lines, evenly: enough for its distribution."""


@dataclass(frozen=True)
class Text:
    """The lines of a file that are not blank (each is one sequence), and the file's sha256."""

    name: str
    lines: tuple[str, ...]
    sha256: str

    @property
    def words(self) -> int:
        """Words of all lines: what white space separates."""
        return sum(len(line.split()) for line in self.lines)

    def batches(self, batch_size: int, count: int, seed: str) -> list[list[str]]:
        """Draw `count` batches of lines in a seeded order; a short text is gone through again."""
        order = random.Random(seed).sample(self.lines, len(self.lines))  # noqa: S311 - no key
        endless = cycle(order)
        return [list(islice(endless, batch_size)) for _ in range(count)]

    def facts(self) -> dict[str, Any]:
        """What stands in the run's environment."""
        return {
            "file": self.name,
            "sha256": self.sha256,
            "lines": len(self.lines),
            "words": self.words,
        }


def read(path: Path) -> Text:
    """Read a text file; raises UsageError for one that is missing, not text, or blank."""
    try:
        data = path.read_bytes()
        decoded = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--text is {path}: it cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"--text is {path}: not UTF-8 text (byte {error.start})") from None
    if "\0" in decoded:
        raise UsageError(f"--text is {path}: not text (it holds zero bytes)")
    lines = [line.strip() for line in decoded.splitlines() if line.strip()]
    if not lines:
        raise UsageError(f"--text is {path}: it has only blank lines")
    step = -(-len(lines) // MOST_LINES)
    return Text(path.name, tuple(lines[::step]), hashlib.sha256(data).hexdigest())
