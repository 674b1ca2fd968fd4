"""What a reader must know first: random weights, what is missing, failed sanity checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.core.english import several
from bench.report.view import View, each
from bench.results.store import resume_command
from bench.stats.noise_causes import DISCARDED, NOISY
from bench.wording.numbers import count

RANDOM = ("random weights for ",)
"""How a run's warnings begin that the notice of random weights repeats."""
NAMED = 3
"""Cases named in a notice; the rest are counted, and stand in the table of cases."""


@dataclass(frozen=True)
class Notice:
    """A statement at the top of the page. `kind` is `weights`, `missing` or `doubt`."""

    kind: str
    title: str
    text: str


def notices(views: list[View]) -> list[Notice]:
    """All notices of all runs; where there are several, each names the runs it is about."""
    found: dict[Notice, list[str]] = {}
    for view in views:
        for part in (_weights, _state, _failed, _unfinished, _noise, _sanity):
            for notice in part(view):
                found.setdefault(notice, []).append(view.run.id)
    if len(views) == 1:
        return list(found)
    return [
        Notice(n.kind, f"{_about(runs, views)}: {n.title}", n.text) for n, runs in found.items()
    ]


def _about(runs: list[str], views: list[View]) -> str:
    return "All runs" if len(runs) == len(views) else several(runs)


def _weights(view: View) -> Iterator[Notice]:
    random = [view.names[m] for m in view.weights.get("random", [])]
    if not random:
        return
    rest = [view.names[m] for m in view.weights.get("pretrained", [])]
    mixed = f" {several(rest)} had pretrained weights." if rest else ""
    yield Notice(
        "weights",
        "Mixed weights" if rest else "Random weights",
        f"{several(random)} ran with random weights of the published architecture: sizes, speed "
        f"and memory are valid, outputs are not.{mixed}",
    )


def _state(view: View) -> Iterator[Notice]:
    state = view.facts["state"]
    if state != "complete":
        how = "was interrupted" if state == "interrupted" else f"is marked “{state}”"
        yield Notice(
            "missing",
            "Unfinished run",
            f"This run {how}: what follows is what was measured until then. "
            f"To finish it: {resume_command(view.run.directory)}",
        )
    if view.run.damage:
        yield Notice("missing", "Set aside while reading", "; ".join(view.run.damage) + ".")


def _failed(view: View) -> Iterator[Notice]:
    if view.failed.empty:
        return
    named = [f"{row.case} ({row.status}: {row.reason})" for row in each(view.failed.head(NAMED))]
    rest = len(view.failed) - len(named)
    more = f"; and {rest} more in the table of cases" if rest else ""
    title = f"{count(len(view.failed), 'case')} failed"
    yield Notice("missing", title, f"{'; '.join(named)}{more}.")


def _unfinished(view: View) -> Iterator[Notice]:
    if view.unfinished.empty:
        return
    named = [str(c) for c in view.unfinished["case"].head(NAMED)]
    rest = len(view.unfinished) - len(named)
    more = f"; and {rest} more in the table of cases" if rest else ""
    title = f"{count(len(view.unfinished), 'planned case')} not finished"
    yield Notice("missing", title, f"{'; '.join(named)}{more}.")


def _noise(view: View) -> Iterator[Notice]:
    """What the run itself said of its noise; its other warnings stand with the environment."""
    for text in view.run.environment.get("warnings") or []:
        for prefix, title in ((NOISY, "Noisy"), (DISCARDED, "Discarded")):
            if str(text).startswith(prefix):
                yield Notice("missing", title, sentence(str(text).removeprefix(prefix)))


def sentence(text: str) -> str:
    """A warning as it stands in a paragraph."""
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


def warnings_left(view: View) -> list[str]:
    """The run's warnings that no notice says already."""
    shown = (NOISY, DISCARDED, *RANDOM)
    return [
        w for w in map(str, view.run.environment.get("warnings") or []) if not w.startswith(shown)
    ]


def _sanity(view: View) -> Iterator[Notice]:
    for text in view.analysis.sanity:
        yield Notice("doubt", "These numbers cannot all be right", text)
