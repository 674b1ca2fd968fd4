"""Where results and pages go when no directory is named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


RESULTS = Path("results")


REPORTS = Path("reports")


LONGEST_NAME = 255
"""Bytes of a name that file systems take."""
