"""A table of the page."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """A table with a caption; `numeric` holds the places of columns that sort as numbers."""

    id: str
    caption: str
    columns: list[str]
    rows: list[list[str]]
    numeric: set[int] = field(default_factory=set)
    sortable: bool = False
    note: str = ""
