import pytest

from bench.words import several


@pytest.mark.parametrize(
    ("words", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (iter(["a", "b", "c"]), "a, b and c")],
)
def test_a_list_is_said_with_commas_and_one_and(words, text):
    """However many there are."""
    assert several(words) == text
