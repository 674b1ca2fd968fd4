"""What stands on the page, section by section, in the order in which people ask."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from bench.core.english import several
from bench.report import comparison, largest_batch, method, published, speedup_table
from bench.report import several_runs as runs
from bench.report.case_tables import case_tables
from bench.report.disturbances import disturbance_table, in_words
from bench.report.drawing.canvas import style
from bench.report.drawing.figure import Place
from bench.report.environment_table import environment_table, sanity_table
from bench.report.notices import sentence, warnings_left
from bench.report.plotting import MOST_CONTEXTS, Placed, load, place_on_page
from bench.report.questions import answers
from bench.report.table import Table
from bench.report.view import View
from bench.wording.sentences import launch_bound


@dataclass(frozen=True)
class Question:
    """A question people ask, with its answer and figure."""

    question: str
    paragraphs: list[str]
    figure: Placed | None


@dataclass(frozen=True)
class Section:
    """One part of the page; whatever a part does not have is left empty."""

    id: str
    short: str
    title: str
    intro: list[str] = field(default_factory=list)
    figures: list[Placed] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    filters: bool = False


DrawnFigures = dict[str, list[Placed]]
"""The figures of a run by name, each in all its contexts."""


@dataclass(frozen=True)
class FigureSection:
    """A section that holds the figures of one place; `missing` stands there without any."""

    place: Place
    short: str
    title: str
    missing: str


SECTIONS = (
    FigureSection(
        Place.LATENCY,
        "Latency",
        "Latency by sequence length",
        "The latency of models was not compared in this run: bench run latency.",
    ),
    FigureSection(
        Place.THROUGHPUT,
        "Throughput",
        "Throughput by batch size",
        "The throughput of models was not compared in this run: bench run throughput.",
    ),
    FigureSection(
        Place.MEMORY,
        "Memory",
        "Memory: weights against activations",
        "No memory was measured in this run: bench run memory.",
    ),
    FigureSection(
        Place.PARAMETERS,
        "Parameters",
        "Parameters by part: stored against applied",
        "No parameters were counted in this run: bench run parameters.",
    ),
    FigureSection(
        Place.SAMPLES,
        "Samples",
        "Samples: distribution and order",
        "There are no samples to show: no case that compares models was timed.",
    ),
)
"""The sections of figures, in the order of the page."""
NO_ACCURACY = "No model of this run has both a latency and a published result that we know of."


def sections(views: list[View], main: View, figures: DrawnFigures, output: Any) -> list[Section]:
    """All sections between verdict and downloads, about `main` unless they say otherwise."""
    found: list[Section | None] = []
    if len(views) > 1:
        found += [_runs(views, output), _comparison(views)]
    found += [
        *(_figures(main, section, figures) for section in SECTIONS),
        _variants(main, figures),
        _accuracy(figures),
        _why(main, figures),
        _sanity(main),
        _method(main),
        _environment(views, main),
        _cases(views),
    ]
    return [s for s in found if s is not None]


def _placed(figures: DrawnFigures, place: Place, besides: Collection[str] = ()) -> list[Placed]:
    """All figures of a place in their order, but for those that stand elsewhere."""
    names = [n for n in figures if n not in besides and load(n).place is place]
    return [placed for name in names for placed in figures[name]]


def _figures(view: View, section: FigureSection, figures: DrawnFigures) -> Section:
    """A section of figures; without its leading one it says what is missing."""
    placed = _placed(figures, section.place)
    text = [*_contexts(view), *_above(view, section.place)]
    if not any(load(n).leads and load(n).place is section.place for n in figures):
        text = [section.missing]
    found = largest_batch.table(view) if section.place is Place.MEMORY else None
    tables = [found] if found else []
    return Section(section.place.value, section.short, section.title, text, placed, tables=tables)


def _above(view: View, place: Place) -> list[str]:
    """What stands above some figures: where launching a forward is what takes the time."""
    return launch_bound(view.summary) if place is Place.LATENCY else []


def _contexts(view: View) -> list[str]:
    left_out = [str(c) for c in view.contexts[MOST_CONTEXTS:]]
    if not left_out:
        return []
    return [f"Not shown here, but in the table of cases: {several(left_out)}."]


def _runs(views: list[View], output: Any) -> Section:
    with style():
        drawn = runs.runs_figure(views)
    placed = [] if drawn is None else [place_on_page(drawn, "runs", output, runs.EXPLANATION)]
    same = len(runs.letters(views)) == 1
    title = "The runs over time" if same else "The runs side by side"
    return Section(
        "runs", "Runs", title, runs.agreement(views), placed, tables=[runs.runs_table(views)]
    )


def _comparison(views: list[View]) -> Section:
    found = comparison.compare(views)
    tables = [table for table in [comparison.table(found)] if table is not None]
    title = "What changed between the last two runs"
    return Section("comparison", "Comparison", title, comparison.intro(found), tables=tables)


def _variants(view: View, figures: DrawnFigures) -> Section | None:
    """The speed-up of each variant; a run that compared none has no such section."""
    table = speedup_table.table(view)
    if table is None:
        return None
    title = "Variants and threads: speed-up and error"
    placed = _placed(figures, Place.VARIANTS)
    return Section("variants", "Variants", title, speedup_table.intro(view), placed, tables=[table])


def _accuracy(figures: DrawnFigures) -> Section:
    rows = [
        [p.title, *(f"{p.scores[t]:.1f}" for t in published.TASKS), p.source]
        for p in published.RESULTS
    ]
    table = Table(
        "published",
        "Published results of fine-tuned models, percent",
        ["Model", *published.TASKS, "Source"],
        rows,
        set(range(1, len(published.TASKS) + 1)),
    )
    placed = _placed(figures, Place.ACCURACY)
    intro = [] if placed else [NO_ACCURACY]
    return Section(
        "accuracy", "Accuracy", "Speed against published accuracy", intro, placed, tables=[table]
    )


def _why(view: View, figures: DrawnFigures) -> Section | None:
    asked = answers(view)
    found = [
        Question(a.question, a.paragraphs, next(iter(figures.get(a.figure or "", [])), None))
        for a in asked
    ]
    others = _placed(figures, Place.QUESTIONS, besides=[a.figure or "" for a in asked])
    if not found and not others:
        return None
    title = "Why: what people ask about these numbers"
    return Section(Place.QUESTIONS.value, "Why", title, figures=others, questions=found)


def _sanity(view: View) -> Section | None:
    """What pretrained weights fill into masked sentences: words that fit show real weights."""
    table = sanity_table(view)
    if table is None:
        return None
    intro = "What each model fills in for a masked word, with the weights of this run."
    return Section("sanity", "Sanity", "Pretrained weights: fill-mask", [intro], tables=[table])


def _method(view: View) -> Section:
    sampled, facts = list(method.amounts(view)), list(method.FACTS.items())
    return Section("method", "Method", "How it was measured", sampled, facts=facts)


def _environment(views: list[View], main: View) -> Section:
    tables = [t for t in (disturbance_table(main), environment_table(views)) if t]
    intro = in_words(main)
    for view in views:
        label = f"{view.run.id}: " if len(views) > 1 else ""
        intro += [f"{label}{sentence(w)}" for w in warnings_left(view)]
    return Section(
        "environment",
        "Environment",
        "Environment and disturbances",
        intro,
        tables=tables,
    )


def _cases(views: list[View]) -> Section:
    intro = ["A case is a model with a variant, a workload and a device."]
    tables = case_tables(views)
    return Section("cases", "Cases", "Every case", intro, tables=tables, filters=True)
