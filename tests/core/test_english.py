import pytest

from bench.core.english import counted, several


@pytest.mark.parametrize(
    ("words", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (iter(["a", "b", "c"]), "a, b and c")],
)
def test_a_list_is_said_with_commas_and_one_and(words, text):
    """However many there are."""
    assert several(words) == text


def test_one_thing_is_no_plural():
    """And none are."""
    assert counted(2, "process", "es") == "2 processes"
    assert [counted(n, "thread") for n in (0, 1, 2)] == ["0 threads", "1 thread", "2 threads"]
