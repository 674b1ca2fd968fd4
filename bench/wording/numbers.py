"""The only formatter of quantities, ratios, intervals and percentages.

What it returns is typeset (`1.03×`, hard spaces); `plain` makes ASCII of it for a terminal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bench.core.tolerance import FLOAT_NOISE

NBSP = "\u00a0"
UNKNOWN = "–"
PLAIN = str.maketrans(
    {NBSP: " ", "×": "x", "–": "-", "µ": "u", "’": "'", "…": "...", "“": '"', "”": '"', "±": "+-"}
)
SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "1": ((1e9, "G"), (1e6, "M"), (1e3, "k")),
    "1/s": ((1.0, "/s"),),
    "J": ((1.0, "J"), (1e-3, "mJ")),
    "ratio": ((1.0, ""),),
}
"""Per unit: (size, name) of the scales that values are shown in, largest first."""
ROUNDS_UP = 0.9995
"""From here on three significant figures read 1.00: 999.6 ms is shown as 1.00 s."""
COUNTS = 1e4
"""Counts below this are shown to the last digit."""
TOO_WIDE = 100
"""An interval whose ends are this many times apart says nothing; its digits would only mislead."""
MOST_DECIMALS = 6
"""Of a ratio whose interval does not ask for more."""
FEW = 1.5
"""Below so many times as much or as little, a difference of counts is written in percent."""


def plain(text: str) -> str:
    """A text in the signs that every terminal has."""
    return text.translate(PLAIN)


def significant(value: float, digits: int = 3) -> str:
    """A plain decimal number with that many significant figures; whole numbers stay whole."""
    if not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    return f"{rounded:,.{max(digits - 1 - _power(rounded), 0)}f}"


def _power(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def quantity(value: float, unit: str) -> str:
    """A value with three significant figures in the unit that suits its size."""
    if not math.isfinite(value):
        return UNKNOWN
    scales = SCALES.get(unit, ((1.0, unit),))
    if unit == "1" and abs(value) < COUNTS:
        return f"{value:,.0f}" if float(value).is_integer() else significant(value)
    size, name = next((s for s in scales if abs(value) >= ROUNDS_UP * s[0]), scales[-1])
    text = significant(value / size)
    return text + name if name.startswith("/") or not name else f"{text}{NBSP}{name}"


def plus_minus(value: float, low: float, high: float) -> str:
    """The farther bound of a value as a share of it, `±4%`; empty where it has no bounds."""
    if not (math.isfinite(low) and math.isfinite(high) and value):
        return ""
    half = max(high - value, value - low) / abs(value)
    return "±>100%" if half >= 1 else f"±{half:.0%}" if half >= 0.00995 else f"±{half:.1%}"


def decimals(low: float, high: float) -> int:
    """Decimals that a ratio and its bounds are shown with.

    As many as the width of the interval supports, at least two figures of the lower bound, and
    enough of them that an interval which leaves 1 out is seen to do so. An exact ratio has three
    significant figures, and as many more as it takes to distinguish it from 1.
    """
    width = high - low
    if not math.isfinite(width) or (high > TOO_WIDE * low and low < high):
        return 2
    if width < FLOAT_NOISE:
        return _tell_from_1(max(2 - _power(low), 0), low)
    power = _power(width)
    # A width of 0.018 deserves three decimals, one of 0.087 two.
    places = (1 if width / 10**power < 3 else 0) - power
    least = max(1 if high >= 10 else 2, 1 - _power(low))
    nearest = low if low > 1 else high if high < 1 else math.nan
    return _tell_from_1(max(least, min(MOST_DECIMALS, places)), nearest)


def _tell_from_1(places: int, value: float) -> int:
    """So many decimals, or as many more as a value that is not 1 needs to be printed as another."""
    if math.isnan(value) or abs(value - 1) <= FLOAT_NOISE:
        return places
    while float(f"{value:.{places}f}") == 1:
        places += 1
    return places


def figures(ratio: float, low: float, high: float) -> str:
    """A ratio to the digits that its interval supports, without a sign: `1.03`."""
    return f"{ratio:.{decimals(low, high)}f}"


def times(ratio: float, low: float, high: float) -> str:
    """A ratio to the digits that its interval supports: `1.03×`."""
    return f"{figures(ratio, low, high)}×"


def bounds(low: float, high: float) -> str:
    """The interval of a ratio, `[1.01, 1.05]`; empty for an exact one."""
    if high - low < FLOAT_NOISE:
        return ""
    if math.isnan(low) or math.isnan(high):
        return "[interval unknown]"
    if high > TOO_WIDE * low:
        return "[too wide to show]"
    places = decimals(low, high)
    return f"[{low:.{places}f},{NBSP}{high:.{places}f}]"


def ratio_of(ratio: float, low: float, high: float) -> str:
    """A ratio with its interval, `1.03× [1.01, 1.05]`."""
    return f"{times(ratio, low, high)} {bounds(low, high)}".strip()


def ratio_text(row: Any) -> str:
    """The ratio of a row of ratios with its interval; without one where it needs none."""
    return ratio_of(*interval_of(row))


def interval_of(row: Any) -> tuple[float, float, float]:
    """Ratio and bounds of a row, as they are shown: what was counted or read once has no width."""
    from bench.stats.relation import judge_row  # scipy, which `bench list` does without

    exact = judge_row(row).is_exact
    return (row.ratio,) * 3 if exact else (row.ratio, row.low, row.high)


def percent(ratio: float, low: float, high: float) -> str:
    """How far a ratio, as it is shown, is from 1: `3 %`, or `2.4×`, where percents read badly."""
    places = decimals(low, high)
    shown = float(f"{ratio:.{places}f}")
    if not 0.5 < shown < 2:
        return f"{significant(max(shown, 1 / shown if shown else math.inf))}×"
    return f"{100 * abs(shown - 1):.{max(places - 2, 0)}f}{NBSP}%"


def within(low: float, high: float) -> str:
    """How far the farther bound of an interval around 1, as it is shown, is from it: `3 %`."""
    places = decimals(low, high)
    away = max(abs(float(f"{bound:.{places}f}") - 1) for bound in (low, high))
    return f"{100 * away:.{max(places - 2, 0)}f}{NBSP}%"


def share(value: float) -> str:
    """A share of a whole, `13 %`; a small one with a figure more."""
    return f"{100 * value:.{0 if value >= 0.0995 or not value else 1}f}{NBSP}%"


def span(texts: Iterable[str]) -> str:
    """From the first to the last of some percentages or ratios: `1-13 %`, `0.17-0.39×`."""
    held = list(texts)
    first, last = held[0], held[-1]
    if first == last:
        return last
    for unit in (f"{NBSP}%", "×"):
        if first.endswith(unit) and last.endswith(unit):
            first = first.removesuffix(unit)
    return f"{first}–{last}"


def fewer(ratio: float) -> str:
    """A ratio of counts in words: `9.37× fewer`, `20 % more`, `equally many`."""
    return _in_words(ratio, "fewer", "more", "equally many")


def smaller(ratio: float) -> str:
    """A ratio of sizes in words: `9.37× smaller`, `12 % larger`, `equally large`."""
    return _in_words(ratio, "smaller", "larger", "equally large")


def _in_words(ratio: float, less: str, more: str, equal: str) -> str:
    if math.isclose(ratio, 1.0, rel_tol=FLOAT_NOISE):
        return equal
    word = less if ratio < 1 else more
    if 1 / FEW < ratio < FEW:
        return f"{percent(ratio, ratio, ratio)} {word}"
    return f"{significant(max(ratio, 1 / ratio))}× {word}"


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
