"""Figures found in their folder, drawn for a page, or one of them written to files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

from bench.core.english import several
from bench.core.errors import UsageError
from bench.report import figures
from bench.report.drawing import svg
from bench.report.drawing.canvas import style
from bench.report.drawing.figure import Drawn, Figure, Place
from bench.report.view import Context, View

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


def load(name: str) -> Figure:
    """The figure that a file declares.

    Raises TypeError for a file without one, or for one that leaves out a part.
    """
    found = getattr(import_module(f"{figures.__name__}.{name}"), "FIGURE", None)
    if not isinstance(found, Figure):
        raise TypeError(f"bench/report/figures/{name}.py declares no FIGURE")
    return found


def in_order() -> dict[str, Figure]:
    """All figures by name, in the order of the page: by place, the leading one first."""
    places = list(Place)
    found = {name: load(name) for name in figures.names()}
    return dict(
        sorted(found.items(), key=lambda item: (places.index(item[1].place), not item[1].leads))
    )


def draw_all(view: View, output: Path | None) -> dict[str, list[Placed]]:
    """Every figure that the run has data for, by name; also written to `output` as files."""
    found: dict[str, list[Placed]] = {}
    for name, figure in in_order().items():
        for key, drawn in _drawn(name, figure, view, view.contexts[:MOST_CONTEXTS]):
            found.setdefault(name, []).append(place_on_page(drawn, key, output, figure.explanation))
    return found


def _drawn(
    name: str, figure: Figure, view: View, contexts: list[Context]
) -> Iterator[tuple[str, Drawn]]:
    """The figure in each of its contexts, with the name of its files.

    Where it is drawn for several contexts, its title says for which.
    """
    if not figure.has_data(view):
        return
    for place, context in enumerate(contexts if figure.in_every_context else contexts[:1]):
        with style():
            drawn = figure.draw(view, context)
        if drawn is None:
            continue
        if figure.in_every_context and len(view.contexts) > 1:
            drawn = replace(drawn, title=f"On {context}: {drawn.title}")
        yield (name if place == 0 else f"{name}-{context.slug}"), drawn


def place_on_page(drawn: Drawn, key: str, output: Path | None, explanation: str) -> Placed:
    """The figure for the page, written to files as well."""
    with style():
        root = svg.vector(drawn.figure, key)
        if output is not None:
            _write(drawn, root, output / key)
    return Placed(key, drawn.title, (explanation, *drawn.notes), svg.inline(root, drawn.alt))


def plot(run: Path, name: str, output: Path) -> list[Path]:
    """Write one figure of a run as SVG and PNG into `output`, for every context it is drawn in.

    Raises UsageError for an unknown figure, and for one that the run has no data for.
    """
    if name not in figures.names():
        raise UsageError(f"no figure {name!r}: choose from {', '.join(figures.names())}")
    figure, view = load(name), View.of(run)
    written: list[Path] = []
    for key, drawn in _drawn(name, figure, view, view.contexts):
        with style():
            written += _write(drawn, svg.vector(drawn.figure, key), output / key)
    if not written:
        raise UsageError(
            f"{run} has nothing to draw {name!r} from: it shows {figure.title.lower()}, and needs "
            f"{several(figure.needs)} (bench run {' '.join(figure.suites)})"
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
