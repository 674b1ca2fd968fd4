"""Rows to CSV text and back, checked cell by cell."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import TYPE_CHECKING, Any

from bench.results.schema import RENAMED

if TYPE_CHECKING:
    import pandas as pd


FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""What makes spreadsheets compute a cell (tabs and line breaks do too, but are never written)."""


_STARTS_FORMULA = re.compile(f"'*[{FORMULA}]")


_DISARMED = f"^'(?='*[{FORMULA}])"


_DTYPES = {"str": "str", "int": "int64", "float": "float64", "seconds": "float64"}


_DIGITS = r"[0-9]{1,30}(?:\.(?![0-9]{2}0(?![0-9]))[0-9]{1,30})?"
"""Never `23.500`, which bench does not write, and which some spreadsheets make of 23500."""


_NUMBERS = {"int": "-?[0-9]{1,18}", "float": f"(?:-?{_DIGITS})?", "seconds": _DIGITS}


_TAKES = {
    "int": "a whole number",
    "float": "a number with a point as bench writes it (0.5, not 0,5 or 0.500), or nothing",
    "seconds": "a number with a point as bench writes it (0.5, not 0,5 or 0.500)",
}


_PLAIN = '[^",\x00-\x1f\x7f]'


_QUOTED = '[^"\x00-\x1f\x7f]'


_CELLS = {
    "str": f'(?:{_PLAIN}*|"{_QUOTED}*(?:""{_QUOTED}*)*")',
    **{kind: f'(?:{number}|"{number}")' for kind, number in _NUMBERS.items()},
}


def encode(columns: Mapping[str, str], rows: Iterable[Iterable[Any]], *, header: bool) -> str:
    """Rows of values, in the order of `columns`, as lines of CSV."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """One value as text; nothing for a number that is not known, times to the nanosecond."""
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".") if math.isfinite(value) else ""
    return "" if value is None else value


def _word(value: str) -> str:
    """Words without control characters, so that a row is always one line, and no formula."""
    if not value.isprintable():
        value = "".join(c if c.isprintable() else " " for c in value)
    return f"'{value}" if _STARTS_FORMULA.match(value) else value


def decode(
    data: bytes, columns: Mapping[str, str], absent: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """The whole lines of `data` as a table of exactly `columns`, under the names of today.

    Columns that are not known are left out; one that the file has not is filled as in `absent`.
    Raises ValueError, with a reason of one line, for anything that is not such a table.
    """
    import pandas as pd

    absent = absent or {}
    text = data[: data.rfind(b"\n") + 1].decode("utf-8-sig").replace("\r\n", "\n")
    if not text:  # not yet made, or by a process that was killed before it wrote a line
        if b"\r" in data:
            raise ValueError("its lines end in CR: give the file as it was written")
        return pd.DataFrame({c: pd.Series(dtype=_DTYPES[kind]) for c, kind in columns.items()})
    lines = text.split("\n")[:-1]
    names = _names(lines[0], columns, absent)
    kinds = [columns.get(name, "str") for name in names]
    row = re.compile(",".join(_CELLS[kind] for kind in kinds))
    for number, line in enumerate(lines[1:], start=2):
        if row.fullmatch(line) is None:
            raise ValueError(f"line {number} {_fault(line, lines[0], kinds)}")
    present = [name for name in names if name in columns]
    frame = pd.read_csv(
        StringIO(text),
        header=0,
        names=[name if name in columns else f"unknown {i}" for i, name in enumerate(names)],
        usecols=present,
        dtype={c: _DTYPES[columns[c]] for c in present},
        keep_default_na=False,
        na_values={c: [""] for c, kind in columns.items() if kind == "float"},
        skip_blank_lines=False,
        index_col=False,
    )
    if "'" in text:
        for name in (c for c in present if columns[c] == "str"):
            frame[name] = frame[name].str.replace(_DISARMED, "", regex=True)
    for column, words in RENAMED.items():
        if column in present:
            frame[column] = frame[column].replace(dict(words))
    filled = {name: absent[name] for name in columns if name not in present}
    return frame.assign(**filled)[list(columns)]


def _names(header: str, columns: Mapping[str, str], absent: Mapping[str, Any]) -> list[str]:
    """The columns of a file, in its own order, under the names of today."""
    names = [RENAMED["column"].get(name, name) for name in _split(header)]
    shown = f"in its first line {header[:80]!r}"
    for name in columns:
        if name not in names and name not in absent:
            separator = next((s for s in ";\t" if s in header), None)
            hint = f": a spreadsheet has put {separator!r} for the commas" if separator else ""
            raise ValueError(f"no column {name!r} {shown}{hint}")
        if names.count(name) > 1:
            raise ValueError(f"two columns {name!r} {shown}")
    return names


def _split(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise ValueError(f"{error} {line[:80]!r}") from None


def _fault(line: str, header: str, kinds: list[str]) -> str:
    """What is wrong with a line that is no row."""
    names, cells = _split(header), _split(line)
    if len(cells) != len(names):
        return f"has {len(cells)} of {len(names)} columns"
    for name, kind, cell in zip(names, kinds, cells, strict=True):
        if kind in _NUMBERS and not re.fullmatch(_NUMBERS[kind], cell):
            return f"has {cell[:40]!r} for {name!r}: it takes {_TAKES[kind]}"
    return f"is not CSV: {line[:80]!r}"
