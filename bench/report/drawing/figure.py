"""A figure: what its file declares, and what drawing it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from bench.core.metrics import METRICS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from bench.report.view import Context, View


class Place(Enum):
    """The section of the page in which a figure stands."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"
    MEMORY = "memory"
    PARAMETERS = "parameters"
    SAMPLES = "distribution"
    VARIANTS = "variants"
    ACCURACY = "accuracy"
    QUESTIONS = "why"
    """Beside the question that names the figure, else before all questions."""


@dataclass(frozen=True)
class Drawn:
    """A figure as drawn for one run.

    `title` is what it concludes, `notes` what is said beside it of this run alone, `axes_text` what
    is on its axes, for people who hear the page.
    """

    title: str
    notes: tuple[str, ...]
    figure: Canvas
    axes_text: str

    @property
    def alt(self) -> str:
        """Text in place of the picture: the conclusion first."""
        return f"{self.title}. {self.axes_text}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What a file of `bench.report.figures` declares as FIGURE; its name is the file's.

    `title` says what it shows, `explanation` how to read it (beside it on the page). `needs` are
    the metrics without which it is not drawn, `suites` what measures them. `draw` returns None
    where there is nothing to see. Raises ValueError for an empty part or an unknown metric.
    """

    title: str
    explanation: str
    needs: tuple[str, ...]
    suites: tuple[str, ...]
    place: Place
    draw: Callable[[View, Context], Drawn | None]
    leads: bool = False
    """Whether it stands first in its place."""
    in_every_context: bool = False
    """Whether it is drawn for each device, dtype, attention and number of threads."""

    def __post_init__(self) -> None:
        for part in ("title", "explanation", "needs", "suites"):
            if not getattr(self, part):
                raise ValueError(f"figure {self.title!r} declares an empty {part}")
        for name in self.needs:
            if name.partition(".")[0] not in METRICS:
                raise ValueError(f"figure {self.title!r} needs the unknown metric {name!r}")

    def has_data(self, view: View) -> bool:
        """Whether the run has every metric that the figure needs."""
        return all(len(view.values(name)) for name in self.needs)
