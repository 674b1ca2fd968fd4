"""From runs to one self-contained HTML page: its parts put together, and its security policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.errors import UsageError
from bench.results.atomic import write_text

if TYPE_CHECKING:
    from bench.report.sections import Section
    from bench.report.view import View
    from bench.stats.analysis import Analysis

PAGE_BYTES = 2_900_000
"""A page stays below this: what the rest leaves is room for downloads."""
SLOT = "<!-- downloads -->"
"""Where they go, once their room is known; escaped text cannot hold it."""


def write(runs: Sequence[Analysis], output: Path) -> Path:
    """Write the page and its figures; returns the page's path.

    Raises UsageError when there is no run, or when one has no plan to report on.
    """
    from bench.report.plotting import draw_all
    from bench.report.sections import sections
    from bench.report.view import View

    given = {analysis.run.directory.resolve(): analysis for analysis in runs}
    if not given:
        raise UsageError("no run to report on: give the directory of one, like results/<run>")
    views = [View(analysis) for analysis in given.values()]
    views.sort(key=lambda view: view.facts["started"])
    for view in views:
        if not view.contexts:
            raise UsageError(f"{view.run.directory} has no planned case: run bench run again")
    (output / "figures").mkdir(parents=True, exist_ok=True)
    main = views[-1]
    drawn = draw_all(main, output / "figures")
    parts = sections(views, main, drawn, output / "figures")
    path = output / "index.html"
    write_text(path, render(views, main, parts))
    return path


def render(views: list[View], main: View, parts: list[Section]) -> str:
    """The page's HTML, with as many downloads as its size allows."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from bench.report.cards import STRIP, cards, table
    from bench.report.case_tables import FILTERS
    from bench.report.downloads import downloads
    from bench.report.notices import notices
    from bench.report.verdict import verdict
    from bench.wording.numbers import day

    templates = Environment(
        loader=PackageLoader("bench.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css, script = _colours() + _resource("page.css"), _resource("page.js")
    page = templates.get_template("page.html.j2").render(
        policy=policy(css, script),
        css=css,
        script=script,
        views=views,
        main=main,
        machine=_machine(main),
        day=day(main.facts["started"]),
        verdict=verdict(main),
        cards=cards(main),
        every_model=table(main),
        strip=STRIP,
        notices=notices(views),
        sections=parts,
        filters=FILTERS,
        slot=SLOT,
    )
    found = downloads(views, max(PAGE_BYTES - len(page.encode()), 0))
    links = templates.get_template("downloads.html.j2").render(downloads=found, views=views)
    return page.replace(SLOT, links)


def policy(css: str, script: str) -> str:
    """A Content-Security-Policy that allows this page's own style and script, and nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(css)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _resource(name: str) -> str:
    return files("bench.report").joinpath(name).read_text(encoding="utf-8")


def _colours() -> str:
    """Rules that let both schemes recolour the figures' fills and strokes."""
    from bench.report.drawing.canvas import GRID, INK, MODEL_COLOURS, MUTED

    names = {INK: "ink", MUTED: "muted", GRID: "grid"}
    names |= {colour: f"m{i + 1}" for i, colour in enumerate(MODEL_COLOURS)}
    return "".join(
        f'svg [{kind}="{colour}"]{{{kind}:var(--{name})}}\n'
        for colour, name in names.items()
        for kind in ("fill", "stroke")
    )


def _machine(main: View) -> str:
    machine = main.run.environment.get("machine") or {}
    return str(machine.get("cpu") or "an unnamed processor")
