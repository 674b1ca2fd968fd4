"""Figures as SVG that a strict Content-Security-Policy and both colour schemes accept.

Matplotlib writes style attributes (which a strict policy blocks), a style element and ids that
repeat from figure to figure. Here they become presentation attributes, which the page's CSS can
override for the dark scheme, and ids that are unique on a page.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from bench.report.drawing.canvas import INK
from bench.results.atomic import write_text

SVG = "http://www.w3.org/2000/svg"
XLINK = "{http://www.w3.org/1999/xlink}href"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
PNG_DPI = 160
PAPER = "#ffffff"
TITLE_SIZE = 14.0
"""Points."""
LINE = 1.3
"""Height of a line, in sizes of its type."""
LINK = re.compile(r"^url\(#(.+)\)$")
"""How clip paths, hatches and the like are referred to."""
NUMBER = re.compile(r"-?\d+\.\d+")
ROUNDED = ("d", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "transform", "points")


def vector(figure: Figure, name: str) -> ET.Element:
    """The figure as an `svg` element, with `name` before its ids."""
    ET.register_namespace("", SVG)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    # Laid out once: drawing it again for the bitmap must not move anything.
    figure.set_layout_engine("none")
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - what matplotlib just wrote
    _clean(root, name)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    return root


def inline(root: ET.Element, alt: str) -> str:
    """The element to stand inside a page, with its conclusion as its label."""
    label = {"class": "figure", "role": "img", "aria-label": alt}
    picture = ET.Element(root.tag, {**root.attrib, **label})
    picture.extend(root)
    return ET.tostring(picture, encoding="unicode")


def save_vector(root: ET.Element, title: Sequence[str], alt: str, path: Path) -> None:
    """Write the element as a file of its own, its title above it, on paper white."""
    root = copy.deepcopy(root)
    left, top, width, height = (float(x) for x in root.attrib["viewBox"].split())
    above = _title_height(title)
    box = {"x": left, "y": top - above, "width": width, "height": height + above}
    paper = ET.Element(_tag("rect"), {k: f"{v:g}" for k, v in box.items()} | {"fill": PAPER})
    label = ET.Element(_tag("title"))
    label.text = alt
    root.insert(0, paper)
    root.insert(0, label)
    for row, line in enumerate(title):
        y = top - above + TITLE_SIZE * LINE * (row + 1)
        look = {"x": "6", "y": f"{y:g}", "font-size": f"{TITLE_SIZE:g}", "font-weight": "bold"}
        ET.SubElement(root, _tag("text"), {**look, "fill": INK}).text = line
    root.set("viewBox", " ".join(f"{v:g}" for v in box.values()))
    root.set("width", f"{width:g}")
    root.set("height", f"{height + above:g}")
    root.set("font-family", FONT)
    write_text(path, ET.tostring(root, encoding="unicode") + "\n")


def save_bitmap(figure: Figure, title: Sequence[str], path: Path) -> None:
    """Write the figure as PNG, its title above it, on paper white."""
    width, height = figure.get_size_inches()
    above = _title_height(title) / 72
    figure.text(
        6 / 72 / width,
        1 + (above - 0.3 * TITLE_SIZE / 72) / height,
        "\n".join(title),
        va="top",
        fontsize=TITLE_SIZE,
        fontweight="bold",
    )
    area = Bbox([[0, 0], [width, height + above]])
    options: dict[str, Any] = {"bbox_inches": area, "metadata": {"Software": None}}
    figure.savefig(path, format="png", dpi=PNG_DPI, facecolor=PAPER, **options)


def _title_height(title: Sequence[str]) -> float:
    """Points that a title takes above a figure."""
    return TITLE_SIZE * LINE * (len(title) + 0.6)


def _tag(name: str) -> str:
    return f"{{{SVG}}}{name}"


def _clean(root: ET.Element, name: str) -> None:
    """Make ids unique, styles attributes, numbers short; drop what a page has no use for."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (_tag("metadata"), _tag("style")):
                parent.remove(child)
    for element in root.iter():
        _restyle(element)
    _rename(root, name)
    for element in root.iter():
        for attribute in ROUNDED:
            if attribute in element.attrib:
                element.set(attribute, NUMBER.sub(_short, element.attrib[attribute]))
        _share(element)
    # What the removed style element said of everything.
    root.set("stroke-linejoin", "round")
    root.set("stroke-linecap", "butt")


def _rename(root: ET.Element, name: str) -> None:
    """Keep the ids that something refers to, under names of this figure's own."""
    links = {v for e in root.iter() for a in e.attrib.values() for v in LINK.findall(a)}
    used = links | {_target(e) for e in root.iter()}
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in used:
            element.set("id", f"{name}-{old}")
        if target := _target(element):
            element.attrib.pop(XLINK)
            element.set("href", f"#{name}-{target}")
        for attribute, value in element.attrib.items():
            if LINK.match(value):
                element.set(attribute, LINK.sub(rf"url(#{name}-\1)", value))


def _share(group: ET.Element) -> None:
    """Let a group of equal marks say once what they all look like."""
    marks = list(group)
    if len(marks) < 2 or any(m.tag != _tag("use") for m in marks):
        return
    look = {k: v for k, v in marks[0].attrib.items() if k not in ("x", "y", "href")}
    if all(dict(m.attrib, **look) == m.attrib for m in marks):
        for key, value in look.items():
            group.set(key, value)
            for mark in marks:
                del mark.attrib[key]


def _target(element: ET.Element) -> str:
    return element.get(XLINK, "").removeprefix("#")


def _short(number: re.Match[str]) -> str:
    return f"{float(number.group()):.2f}".rstrip("0").rstrip(".")


def _restyle(element: ET.Element) -> None:
    """Turn `style="a: b; c: d"` into attributes `a="b" c="d"`; fonts come from the page."""
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font":
            # `font: bold 12.5px 'DejaVu Sans'`: weight and size stay, the family goes.
            for word in value.partition("'")[0].split():
                if word.endswith("px"):
                    element.set("font-size", word.removesuffix("px"))
                elif word in ("bold", "700"):
                    element.set("font-weight", "bold")
        elif key and value and not key.startswith("font-family"):
            element.set(key, value)
