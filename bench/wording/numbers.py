"""Numbers as a reader wants them: scaled units, significant figures, ratios in words."""

from __future__ import annotations

import math
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from bench.wording.sentences import FEW, TOO_NOISY, TOO_WIDE

if TYPE_CHECKING:
    pass

NBSP = "\u00a0"
SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "1": ((1e9, "billion"), (1e6, "M"), (1e3, "k")),
    "1/s": ((1.0, "/s"),),
    "J": ((1.0, "J"), (1e-3, "mJ")),
}
"""Per unit: (size, name) of the scales that values are shown in, largest first."""
NAME_LENGTH = 28
"""Longest model name in prose (characters); tables give it in full."""
LABEL_LENGTH = 15
"""Longest model name in a figure."""


class Relation(Enum):
    """What the interval of a ratio allows to say."""

    MORE = "more"
    LESS = "less"
    EQUAL = "equal"
    UNDECIDED = "undecided"
    NOISY = "noisy"
    UNKNOWN = "unknown"


DECIDED = (Relation.MORE, Relation.LESS)
"""What an interval says that leaves 1 out."""


def relation(low: float, high: float) -> Relation:
    """A ratio differs from 1 only when its whole interval does.

    Where it holds 1, a narrow interval says that no difference was found; a wide one says nothing.
    """
    if math.isnan(low) or math.isnan(high):
        return Relation.UNKNOWN
    if low == high and math.isclose(low, 1.0, rel_tol=1e-9):
        return Relation.EQUAL
    if low > 1:
        return Relation.MORE
    if high < 1:
        return Relation.LESS
    return Relation.NOISY if high > TOO_NOISY * low else Relation.UNDECIDED


def significant(value: float, digits: int = 3) -> str:
    """A plain decimal number with that many significant figures; whole numbers stay whole."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    return f"{rounded:,.{max(places, 0)}f}"


def quantity(value: float, unit: str) -> str:
    """A value with three significant figures in the unit that suits its size."""
    if not math.isfinite(value):
        return "–"
    scales = SCALES.get(unit, ((1.0, unit),))
    if unit == "1" and abs(value) < 1e4:
        return f"{value:,.0f}" if float(value).is_integer() else significant(value)
    size, name = next((s for s in scales if abs(value) >= s[0]), scales[-1])
    text = significant(value / size)
    return text + name if name.startswith("/") else f"{text}{NBSP}{name}"


def decimals(low: float, high: float) -> int:
    """Decimals of a ratio that its interval supports."""
    width = high - low
    if not math.isfinite(width) or width <= 0 or high > TOO_WIDE * low:
        return 2
    power = math.floor(math.log10(width))
    # A width of 0.018 deserves three decimals, one of 0.087 two.
    leading = width / 10**power
    return max(1 if low >= 10 else 2, min(3, (1 if leading < 3 else 0) - power))


def times(ratio: float, low: float, high: float) -> str:
    """A ratio to the digits its interval supports: `1.03×`; an exact one with three figures."""
    if low == high:
        return f"{significant(ratio)}×"
    return f"{ratio:.{decimals(low, high)}f}×"


def bounds(low: float, high: float) -> str:
    """The interval of a ratio, `[1.01, 1.05]`; empty for an exact one."""
    if low == high:
        return ""
    if math.isnan(low) or math.isnan(high):
        return "[interval unknown]"
    if high > TOO_WIDE * low:
        return "[too noisy to bound]"
    digits = decimals(low, high)
    return f"[{low:.{digits}f},{NBSP}{high:.{digits}f}]"


def ratio_text(row: Any) -> str:
    """The ratio of a row of ratios with its interval."""
    return f"{times(row.ratio, row.low, row.high)} {bounds(row.low, row.high)}".strip()


def percent(ratio: float) -> str:
    """How far a ratio is from 1: `3 %`, or `2.4×`, either way, where percents read badly."""
    away = abs(ratio - 1) * 100
    if not 0.5 < ratio < 2:
        return f"{significant(max(ratio, 1 / ratio if ratio else math.inf), 2)}×"
    return f"{away:.0f}{NBSP}%" if away >= 1 else f"{significant(away, 1)}{NBSP}%"


def change(row: Any, more: str, less: str) -> str:
    """`3 % slower`, or what the interval leaves to say when it holds 1."""
    words = {Relation.MORE: more, Relation.LESS: less}
    found = relation(row.low, row.high)
    if found in words:
        return f"{percent(row.ratio)} {words[found]}"
    return {
        Relation.EQUAL: "equal",
        Relation.UNDECIDED: "no difference found",
        Relation.NOISY: "too noisy to tell",
        Relation.UNKNOWN: "too few repeats to say",
    }[found]


def fewer(ratio: float) -> str:
    """A ratio of counts in words: `9.4× fewer`, `20 % more`, `equally many`."""
    return _in_words(ratio, "fewer", "more", "equally many")


def smaller(ratio: float) -> str:
    """A ratio of sizes in words: `9.4× smaller`, `12 % larger`, `equally large`."""
    return _in_words(ratio, "smaller", "larger", "equally large")


def _in_words(ratio: float, less: str, more: str, equal: str) -> str:
    if math.isclose(ratio, 1.0, rel_tol=1e-9):
        return equal
    word = less if ratio < 1 else more
    if 1 / FEW < ratio < FEW:
        return f"{percent(ratio)} {word}"
    return f"{significant(max(ratio, 1 / ratio), 2)}× {word}"


def day(moment: str) -> str:
    """`24 Nov 2026, 03:33 UTC` of an ISO time; whatever else was written stays as it is."""
    try:
        found = datetime.fromisoformat(moment.replace("Z", "+00:00"))
        return f"{found:%-d %b %Y}".replace(" ", NBSP) + f", {found:%H:%M}{NBSP}UTC"
    except ValueError:
        return moment


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 case`, `3 cases`."""
    return f"{n:,}{NBSP}{noun if n == 1 else plural or noun + 's'}"


def short_names(
    names: list[str], known: dict[str, str], longest: int = NAME_LENGTH
) -> dict[str, str]:
    """Names fit for a sentence or an axis: printable, short, and still different."""
    found: dict[str, str] = {}
    for name in names:
        text = "".join(c if c.isprintable() else "\ufffd" for c in known.get(name, name)) or "?"
        if len(text) > longest:
            half = longest // 2
            text = f"{text[:half]}…{text[1 - half :]}"
        while text in found.values():
            text += "′"
        found[name] = text
    return found


SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")),
    "1": ((1e9, "G"), (1e6, "M"), (1e3, "k")),
    "1/s": ((1.0, "/s"),),
    "J": ((1.0, "J"), (1e-3, "mJ")),
}
"""Per unit: (size, name) of the scales that values are printed in, largest first."""


ROUNDS_UP = 0.9995
"""From here on three significant figures read 1.00: 999.6 ms is shown as 1.00 s."""


def scaled(value: float, unit: str) -> str:
    """A value with three significant figures, scaled to a readable unit."""
    scales = SCALES[unit]
    size, name = next((s for s in scales if abs(value) >= ROUNDS_UP * s[0]), scales[-1])
    if unit == "1" and abs(value) < 1e3:
        return f"{value:g}"
    scaled = value / size
    digits = max(0, 2 - math.floor(math.log10(abs(scaled) / ROUNDS_UP))) if scaled else 0
    return f"{scaled:.{digits}f} {name}".replace(" /s", "/s")
