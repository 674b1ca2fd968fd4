"""What is computed from a run, once: for the terminal, the page, tables and exports."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bench.results.store import Run, read_run
from bench.stats.ratios import ratios
from bench.stats.sanity import failed_checks
from bench.stats.speedups import SpeedUp, speedups
from bench.stats.summary import noisy, summarise

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Analysis:
    """A run with what its raw tables say, never what a stored summary does.

    Each part is computed where it is first asked for, and kept.
    """

    run: Run

    @classmethod
    def read(cls, directory: Path) -> Analysis:
        """Of a stored run; raises UsageError as `read_run` does."""
        return cls(read_run(directory))

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per case and metric: columns of schema.SUMMARY."""
        return summarise(self.run)

    @cached_property
    def ratios(self) -> pd.DataFrame:
        """One row per case and metric against its reference: columns of schema.RATIOS."""
        return ratios(self.run)

    @cached_property
    def speedups(self) -> list[SpeedUp]:
        """Every variant and number of threads beside its reference."""
        return speedups(self.summary, self.ratios)

    @cached_property
    def sanity(self) -> list[str]:
        """What cannot be true of these numbers, a sentence each."""
        return failed_checks(self.summary, self.ratios)

    @cached_property
    def noisy(self) -> set[str]:
        """Cases whose samples spread more than is usual."""
        return set(noisy(self.summary)["case"])
