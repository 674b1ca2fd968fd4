"""Lines for a terminal: columns, and text that is never broken within a word."""

from io import StringIO

from rich.console import Console

from bench.terminal.layout import columns, cut, say, say_line


def test_a_long_label_widens_its_own_row_alone():
    """Cells end at one edge, which is as near as every row allows."""
    rows = [("a long label", "1"), ("b", "12345678"), ("a title, longer than all of them",)]
    assert columns(rows) == ["a long label  1", "b      12345678", rows[2][0]]


def test_a_left_column_begins_at_one_place():
    """An empty cell takes no room, and no line ends in blanks."""
    rows = [("a", "1.02x", "slower"), ("b", "", "less"), ("c", "1.0213x", "")]
    assert columns(rows, left=(1, 2)) == ["a  1.02x  slower", "b         less", "c  1.0213x"]


def test_wide_signs_count_as_two_columns():
    """A name in Chinese does not shift what follows."""
    assert columns([("模型", "1"), ("ab", "12")]) == ["模型  1", "ab   12"]


def test_a_text_is_cut_at_a_word():
    """What is left out is shown as left out; what fits stays whole."""
    assert cut("short", 10) == "short"
    assert cut("one note that is long", 15) == "one note..."
    assert cut("x" * 30, 10) == "xxxxxxx..."


def test_words_stay_whole_and_brackets_are_no_markup():
    """Names come from data."""
    out = Console(file=StringIO(), width=20, force_terminal=False)
    say(out, "models bert[v1] and [bold]albert[/bold] " + "y" * 30)
    say_line(out, "/a/path/" + "z" * 40)
    lines = out.file.getvalue().splitlines()
    assert lines[:3] == ["models bert[v1] and", "[bold]albert[/bold]", "y" * 30]
    assert lines[3] == "/a/path/" + "z" * 40
