"""Lines of text for a terminal: columns that end at common edges, and sentences folded at words."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.text import Text

from bench.wording.numbers import plain

Row = tuple[str, ...]
"""A label, and one cell for each column after it."""
GAP = 2
"""Blanks between two columns."""
DOTS = "..."


def columns(rows: Sequence[Row], left: Collection[int] = ()) -> list[str]:
    """Each row as a line; a cell ends where all of its column do, or begins there if `left`.

    A long label pushes a column only as far as its own row needs: a table with a few long labels
    stays narrow.
    """
    lines = [row[0] for row in rows]
    for i in range(1, max(map(len, rows), default=0)):
        cells = [row[i] if i < len(row) else "" for row in rows]
        held = [(cell_len(line), cell) for line, cell in zip(lines, cells, strict=True) if cell]
        if not held:
            continue
        start = max(size for size, _ in held) + GAP
        edge = max(size + GAP + cell_len(cell) for size, cell in held)
        for at, cell in enumerate(cells):
            if cell:
                stop = start if i in left else edge - cell_len(cell)
                lines[at] += " " * (stop - cell_len(lines[at])) + cell
    return [line.rstrip() for line in lines]


def cut(text: str, width: int) -> str:
    """A text that is at most so wide, its end left out for dots; at a word where there is one."""
    if cell_len(text) <= width:
        return text
    kept = chop_cells(text, max(1, width - len(DOTS)))[0]
    at_word = kept.rpartition(" ")[0]
    return (at_word if cell_len(at_word) > width // 2 else kept).rstrip(" ,;:") + DOTS


def say(out: Console, text: str, style: str = "", indent: str = "") -> None:
    """Print a text as it is (it may be data: no markup), folded at words; words stay whole."""
    folded = textwrap.fill(
        plain(text),
        max(out.width, 20),
        break_long_words=False,
        break_on_hyphens=False,
        subsequent_indent=indent,
    )
    say_line(out, folded, style)


def say_line(out: Console, text: str, style: str = "") -> None:
    """Print a line as it is, however long: a path or a command is copied whole."""
    out.print(Text(text, style=style), soft_wrap=True)
