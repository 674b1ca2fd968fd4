"""A page that many tests only read."""

from __future__ import annotations

import pytest
from pages import SMALL, page


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The page of a small clean run, for tests that only read it: source, content, folder."""
    folder = tmp_path_factory.mktemp("small")
    return (*page(folder, SMALL), folder)
