"""All figures by name: drawn for a page, or one of them written to files."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree as ET

from bench.core.errors import UsageError
from bench.report.catalogue import FIGURES
from bench.report.figures import accuracy as plot_accuracy
from bench.report.figures import family as plot_family
from bench.report.figures import memory as plot_memory
from bench.report.figures import samples as plot_samples
from bench.report.figures import size as plot_size
from bench.report.figures import speed as plot_speed
from bench.report.figures import speedups as plot_gains
from bench.report.figures import svg
from bench.report.figures.canvas import Drawn, style
from bench.report.view import Context, View

DRAW: dict[str, Callable[[View, Context], Drawn | None]] = {
    "latency": plot_speed.latency,
    "throughput": plot_speed.throughput,
    "ratios": plot_speed.ratios,
    "memory": plot_memory.memory,
    "crossover": plot_memory.crossover,
    "parameters": plot_size.parameters,
    "work": plot_size.work,
    "distribution": plot_samples.distribution,
    "course": plot_samples.course,
    "variants": plot_gains.variants,
    "scaling": plot_gains.scaling,
    "family": plot_family.family,
    "accuracy": plot_accuracy.accuracy,
}
IN_EVERY_CONTEXT = ("latency", "throughput", "memory")
"""Drawn for each device, dtype, attention and number of threads; the others for the first."""
MOST_CONTEXTS = 4
TITLE_WIDTH = 48
"""Characters of a title line in a file of its own."""


@dataclass(frozen=True)
class Placed:
    """A figure on the page."""

    name: str
    title: str
    notes: tuple[str, ...]
    svg: str


def draw_all(view: View, output: Path | None) -> dict[str, list[Placed]]:
    """Every figure that the run has data for, by name; also written to `output` as files."""
    found: dict[str, list[Placed]] = {}
    for name in FIGURES:
        for place, context in enumerate(view.contexts[:MOST_CONTEXTS]):
            if place and name not in IN_EVERY_CONTEXT:
                break
            with style():
                drawn = _draw(name, view, context)
                if drawn is not None:
                    key = name if place == 0 else f"{name}-{context.slug}"
                    found.setdefault(name, []).append(place_on_page(drawn, key, output))
    return found


def _draw(name: str, view: View, context: Context) -> Drawn | None:
    """The figure; where it is drawn for several contexts, its title says for which."""
    drawn = DRAW[name](view, context)
    if drawn is None or len(view.contexts) == 1 or name not in IN_EVERY_CONTEXT:
        return drawn
    return replace(drawn, title=f"On {context}: {drawn.title}")


def place_on_page(drawn: Drawn, key: str, output: Path | None) -> Placed:
    """The figure for the page, written to files as well."""
    root = svg.vector(drawn.figure, key)
    placed = Placed(key, drawn.title, drawn.notes, svg.inline(root, drawn.alt))
    if output is not None:
        _write(drawn, root, output / key)
    return placed


def plot(run: Path, figure: str, output: Path) -> list[Path]:
    """Write one figure of a run as SVG and PNG into `output`, for every context it is drawn in.

    Raises UsageError for an unknown figure, and for one that the run has no data for.
    """
    if figure not in DRAW:
        raise UsageError(f"no figure {figure!r}: choose from {', '.join(FIGURES)}")
    view = View.of(run)
    contexts = view.contexts if figure in IN_EVERY_CONTEXT else view.contexts[:1]
    written: list[Path] = []
    for place, context in enumerate(contexts):
        with style():
            drawn = _draw(figure, view, context)
            if drawn is not None:
                key = figure if place == 0 else f"{figure}-{context.slug}"
                written += _write(drawn, svg.vector(drawn.figure, key), output / key)
    if not written:
        raise UsageError(
            f"{run} has nothing to draw {figure!r} from ({FIGURES[figure]}): "
            "measure more with bench run, or choose another figure"
        )
    return written


def _write(drawn: Drawn, root: ET.Element, stem: Path) -> list[Path]:
    """A file stands alone, so its title goes into the picture."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    title = textwrap.wrap(drawn.title, TITLE_WIDTH)
    files = [stem.with_suffix(".svg"), stem.with_suffix(".png")]
    svg.save_vector(root, title, drawn.alt, files[0])
    svg.save_bitmap(drawn.figure, title, files[1])
    return files
