"""Numbers in words: significant figures only, and never more or less than an interval supports."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.compare.findings import Finding, Verdict
from bench.compare.formats import ratio as compared
from bench.stats.intervals import Interval
from bench.stats.relation import DECIDED, Relation, judge
from bench.wording import numbers as text
from bench.wording.names import NAME_LENGTH, short_names
from bench.wording.verdicts import change, word

SURFACES = {
    "page": lambda row: text.ratio_text(row).replace(text.NBSP, " "),
    "terminal": lambda row: text.plain(text.ratio_text(row)),
    "comparison": lambda row: compared(
        Finding("c", "latency", Verdict.UNKNOWN, ratio=row.ratio, low=row.low, high=row.high)
    ),
    "speed-up": lambda row: text.plain(text.ratio_of(row.ratio, row.low, row.high)),
}
"""How each surface prints a ratio with its interval."""
SHOWN = re.compile(r"([\d.]+)[x×] \[([\d.]+), ([\d.]+)\]")


def ratio_row(ratio, low, high, processes=5, metric="latency"):
    """A row of ratios."""
    return SimpleNamespace(metric=metric, ratio=ratio, low=low, high=high, processes=processes)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0637959, "s", "63.8 ms"),
        (1.2345, "s", "1.23 s"),
        (0.0000021, "s", "2.10 µs"),
        (0.0, "s", "0 µs"),
        (0.999999, "s", "1.00 s"),
        (0.00009995, "s", "100 µs"),
        (1234.5, "s", "1,230 s"),
        (999.9e6, "B", "1.00 GB"),
        (437_928_960, "B", "438 MB"),
        (512, "B", "512 B"),
        (11_683_584, "1", "11.7 M"),
        (22_348_431_360, "1", "22.3 G"),
        (573, "1", "573"),
        (0, "B", "0 B"),
        (7.0567, "1/s", "7.06/s"),
        (1.0234, "ratio", "1.02"),
        (math.nan, "s", "–"),
    ],
)
def test_quantities_are_scaled_with_three_figures(value, unit, shown):
    """Each value stands in the unit that suits its size."""
    assert text.quantity(value, unit).replace(text.NBSP, " ") == shown


@given(st.floats(1e-6, 1e3), st.sampled_from(["s", "B", "1/s"]))
def test_a_quantity_keeps_its_value(value, unit):
    """What is shown is within half of its last figure of what was measured."""
    scales = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "B": 1.0, "kB": 1e3, "/s": 1.0}
    number = text.plain(text.quantity(value, unit)).replace("/s", " /s")
    shown, name = number.split()
    assert float(shown.replace(",", "")) * scales[name] == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "shown"),
    [
        (1.1733, 0.43, 3.2, "1.17x [0.43, 3.20]"),
        (1.02641, 1.0171, 1.0352, "1.026x [1.017, 1.035]"),
        (1.0091, 1.0042, 1.0139, "1.009x [1.004, 1.014]"),
        (1.05, 1.004, 1.099, "1.050x [1.004, 1.099]"),
        (0.92, 0.8451, 0.9996, "0.9200x [0.8451, 0.9996]"),
        (1.02, 0.998, 1.05, "1.02x [1.00, 1.05]"),
        (0.0512, 0.033, 0.079, "0.051x [0.033, 0.079]"),
        (15.0, 9.0, 25.0, "15.0x [9.0, 25.0]"),
        (0.10671, 0.10671, 0.10671, "0.107x"),
        (1.00126, 1.00126, 1.00126, "1.001x"),
        (1.0, 1.0, 1.0, "1.00x"),
        (1.15, 0.0001, 71605.8, "1.15x [too wide to show]"),
        (1.2, math.nan, math.nan, "1.20x [interval unknown]"),
    ],
)
def test_a_ratio_has_the_decimals_its_interval_supports(ratio, low, high, shown):
    """And enough of them that a 1 which is left out is seen to be."""
    assert text.plain(text.ratio_of(ratio, low, high)) == shown


@pytest.mark.parametrize("surface", SURFACES)
@given(ratio=st.floats(0.05, 20), half=st.floats(0.001, 0.5), processes=st.integers(3, 20))
@example(ratio=1.0041, half=0.004, processes=5)
@example(ratio=1.0005004, half=0.0005, processes=5)
def test_printed_bounds_never_contradict_the_verdict(surface, ratio, half, processes):
    """A bound of 1 is printed only beside no verdict, and the ratio lies within what is printed."""
    low, high = ratio / (1 + half), ratio * (1 + half)
    row, found = (
        ratio_row(ratio, low, high, processes),
        judge(Interval(ratio, low, high), processes),
    )
    match = SHOWN.fullmatch(SURFACES[surface](row))
    shown, bottom, top = map(float, match.groups())
    assert bottom <= shown <= top
    for bound, printed in ((low, bottom), (high, top)):
        places = len(match[2].partition(".")[2])
        assert abs(printed - bound) <= 0.5001 * 10**-places
        assert printed != 1 or found.relation not in DECIDED
    if found.relation in DECIDED:
        assert (bottom > 1) if found.relation is Relation.MORE else (top < 1)


@given(ratio=st.floats(0.05, 20), half=st.floats(0.001, 0.5))
def test_percentages_in_words_are_those_of_the_printed_ratio(ratio, half):
    """`3 % slower` stands beside `1.03`, and `within 2 %` beside a bound of 1.02 or 0.98."""
    row = ratio_row(ratio, ratio / (1 + half), ratio * (1 + half))
    shown, bottom, top = map(float, SHOWN.fullmatch(SURFACES["terminal"](row)).groups())
    said = text.plain(change(row))
    number = re.match(r"(within )?([\d.,]+)( %|x)", said)
    if number is None:
        assert said == "not known"
    elif number[1]:
        assert float(number[2]) == pytest.approx(100 * max(top - 1, 1 - bottom), abs=1e-9)
    elif number[3] == "x":
        assert float(number[2]) == pytest.approx(max(shown, 1 / shown), rel=0.006)
    else:
        assert float(number[2]) == pytest.approx(100 * abs(shown - 1), abs=1e-9)


def test_words_follow_the_interval_and_not_the_estimate():
    """An estimate of 17 % with an interval over 1 is not known."""
    cases = {
        (1.17, 0.95, 1.4): "not known",
        (1.0, 0.98, 1.03): "within 3 %",
        (0.6, 0.5, 0.7): "40 % faster",
        (0.25, 0.2, 0.3): "4.00x faster",
        (1.0091, 1.0042, 1.0139): "0.9 % slower",
    }
    assert {bounds: text.plain(change(ratio_row(*bounds))) for bounds in cases} == cases
    assert text.plain(change(ratio_row(1.1, 1.09, 1.11, 2))) == "not known (2 processes)"


def test_a_verdict_in_a_word_goes_with_the_metric():
    """More and less of memory, slower and faster of time."""
    found = judge(Interval(0.5, 0.4, 0.6), 5)
    assert (word(found), word(found, "more", "less")) == ("faster", "less")


def test_a_peak_of_one_process_is_shown_without_an_interval():
    """It repeats: an unknown interval would be a wrong warning."""
    row = ratio_row(0.1729, math.nan, math.nan, 1, "peak_rss_bytes")
    assert text.plain(text.ratio_text(row)) == "0.173x"


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        (0.106714, "9.37x fewer"),
        (0.996, "0.4 % fewer"),
        (0.99994, "0.01 % fewer"),
        (1.25, "25 % more"),
        (1.6, "1.60x more"),
        (1, "equally many"),
    ],
)
def test_small_differences_of_counts_are_in_percent(ratio, told):
    """To be 1.0 times fewer would say nothing."""
    assert text.plain(text.fewer(ratio)) == told


def test_a_span_names_its_unit_once():
    """From the smallest to the largest; one value alone is itself."""
    assert text.span(["1\u00a0%", "13\u00a0%"]) == "1–13\u00a0%"
    assert text.span(["0.17×", "0.39×"]) == "0.17–0.39×"
    assert text.span(["40\u00a0%", "2.40×"]) == "40\u00a0%–2.40×"
    assert text.span(["2\u00a0%"]) == "2\u00a0%"


def test_plain_text_is_ascii():
    """Whatever the formatter sets is in signs that every terminal has."""
    shown = (
        f"{text.quantity(2e-6, 's')} {text.ratio_of(1.1, 1.0, 1.2)} {text.plus_minus(1, 0.9, 1.1)}"
    )
    assert text.plain(f"{shown} {text.quantity(math.nan, 's')} ’").isascii()


def test_short_names_stay_different_and_printable():
    """Long names are shortened, control characters replaced, and no two become the same."""
    names = ["x" * 100, "x" * 99 + "y" + "x" * 5, "x" * 101, "a\nb\x00c"]
    found = short_names(names, {})
    assert len(set(found.values())) == len(names)
    assert all(len(n) <= NAME_LENGTH + 2 and n.isprintable() for n in found.values())
