"""Numbers in words: significant figures only, and never more than an interval supports."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from bench.report.conclusions import overall
from bench.wording import numbers as text
from bench.wording.numbers import Relation


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0637959, "s", "63.8 ms"),
        (1.2345, "s", "1.23 s"),
        (0.0000021, "s", "2.10 µs"),
        (437_928_960, "B", "438 MB"),
        (512, "B", "512 B"),
        (11_683_584, "1", "11.7 M"),
        (573, "1", "573"),
        (0, "B", "0 B"),
        (7.0567, "1/s", "7.06/s"),
        (math.nan, "s", "–"),
    ],
)
def test_quantities_are_scaled_with_three_figures(value, unit, shown):
    """Each value stands in the unit that suits its size."""
    assert text.quantity(value, unit).replace(text.NBSP, " ") == shown


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (1.01, 1.05, Relation.MORE),
        (0.9, 0.99, Relation.LESS),
        (0.99, 1.05, Relation.UNDECIDED),
        (0.7, 1.4, Relation.NOISY),
        (1.0, 1.0, Relation.EQUAL),
        (math.nan, math.nan, Relation.UNKNOWN),
    ],
)
def test_a_difference_needs_the_whole_interval(low, high, found):
    """An interval that holds 1 supports none; a wide or an unknown one, nothing at all."""
    assert text.relation(low, high) is found


def test_a_ratio_has_the_decimals_its_interval_supports():
    """A wide interval gives fewer decimals than a narrow one."""
    wide = SimpleNamespace(ratio=1.1733, low=0.43, high=3.2)
    narrow = SimpleNamespace(ratio=1.02641, low=1.0171, high=1.0352)
    exact = SimpleNamespace(ratio=0.10671, low=0.10671, high=0.10671)
    plain = [text.ratio_text(r).replace(text.NBSP, " ") for r in (wide, narrow, exact)]
    assert plain == ["1.17× [0.43, 3.20]", "1.026× [1.017, 1.035]", "0.107×"]


def test_words_follow_the_interval_and_not_the_estimate():
    """An estimate of 17 % with an interval over 1 is no difference found, or too noisy to tell."""
    row = SimpleNamespace(ratio=1.17, low=0.95, high=1.4)
    assert text.change(row, "slower", "faster") == "no difference found"
    row = SimpleNamespace(ratio=1.17, low=0.43, high=3.2)
    assert text.change(row, "slower", "faster") == "too noisy to tell"
    row = SimpleNamespace(ratio=0.6, low=0.5, high=0.7)
    assert text.change(row, "slower", "faster").replace(text.NBSP, " ") == "40 % faster"
    row = SimpleNamespace(ratio=0.25, low=0.2, high=0.3)
    assert text.change(row, "slower", "faster") == "4.0× faster"
    row = SimpleNamespace(ratio=1.1, low=math.nan, high=math.nan)
    assert text.change(row, "slower", "faster") == "too few repeats to say"


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        (0.106, "9.4× fewer"),
        (0.996, "0.4 % fewer"),
        (1.25, "25 % more"),
        (1.6, "1.6× more"),
        (1, "equally many"),
    ],
)
def test_small_differences_of_counts_are_in_percent(ratio, told):
    """To be 1.0 times fewer would say nothing."""
    assert text.fewer(ratio).replace(text.NBSP, " ") == told


def test_short_names_stay_different_and_printable():
    """Long names are shortened, control characters replaced, and no two become the same."""
    names = ["x" * 100, "x" * 99 + "y" + "x" * 5, "x" * 101, "a\nb\x00c"]
    found = text.short_names(names, {})
    assert len(set(found.values())) == len(names)
    assert all(len(n) <= text.NAME_LENGTH + 2 and n.isprintable() for n in found.values())


@pytest.mark.parametrize(
    ("decided", "said", "word"),
    [
        (6, Relation.MORE, "slower"),
        (5, Relation.MORE, "partly slower"),
        (6, Relation.NOISY, "partly slower"),
        (0, Relation.UNDECIDED, "open"),
    ],
)
def test_a_few_differences_among_many_workloads_are_only_a_part(decided, said, word):
    """Of many intervals some miss by chance: half decide nothing for all, nor without the usual."""
    found = dict.fromkeys(Relation, 0)
    found |= {Relation.MORE: decided, Relation.UNDECIDED: 10 - decided}
    assert overall(found, said) == word
