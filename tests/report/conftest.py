"""A page that many tests only read, and figures that are drawn but not rendered."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from pages import SMALL, page

from bench.report.drawing import svg


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The page of a small clean run, for tests that only read it: source, content, folder."""
    folder = tmp_path_factory.mktemp("small")
    return (*page(folder, SMALL), folder)


@pytest.fixture(autouse=True)
def blank_figures(request, monkeypatch):
    """What a test is about that is not marked `rendered` stands beside the figures.

    They are drawn, so their titles and notes are there; the pictures themselves, which take
    seconds, are blank. Fixtures of a module or of the session have whole ones.
    """
    if request.node.get_closest_marker("rendered") is None:
        blank = ET.Element(f"{{{svg.SVG}}}svg", {"viewBox": "0 0 1 1"})
        monkeypatch.setattr(svg, "vector", lambda *_: blank)
        monkeypatch.setattr(svg, "save_bitmap", lambda *_: None)
