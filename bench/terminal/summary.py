"""The end of a run in the terminal: table, notes, places, the answer, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console

from bench.core.case import Status
from bench.core.errors import NothingMeasuredError
from bench.results.store import resume_command
from bench.runner.finalize import TIMED_SHARE, Outcome
from bench.stats.speedups import compares_models
from bench.terminal.layout import cut, say, say_line
from bench.terminal.results import show_results
from bench.terminal.speedups import show_speedups
from bench.wording.numbers import plain
from bench.wording.sentences import answer, launch_bound, speed_up_sentences, to_know_more

FAILED = 1
INTERRUPTED = 130
"""Exit code of a command ended by Ctrl-C (128 + SIGINT), as shells give it."""


def show_outcome(
    out: Console, outcome: Outcome, done: Mapping[str, Status], page: Path | None
) -> int:
    """Print what a run found and where it is; returns the exit code."""
    show_ending(out, outcome, page=page)
    return _exit_code(lambda text: say_line(out, text), outcome, done)


def show_ending(
    out: Console, outcome: Outcome, *, page: Path | None = None, notes: bool = False
) -> None:
    """Print table, notes (a line each, or in full), times and places, and the answer at the end."""
    compared = compares_models(outcome.summary)
    found = outcome.analysis.speedups
    say_line(out, cut(_context(outcome), out.width), "dim")
    if not compared.empty:
        show_results(out, compared, compares_models(outcome.ratios))
    if found:
        show_speedups(out, found)
    show_notes(out, outcome, in_full=notes)
    say_line(out, "")
    for text in _time_lines(outcome.environment.get("time_spent") or {}):
        say(out, text)
    say_line(out, f"results: {outcome.directory}")
    if page is not None:
        say_line(out, f"page: {page}")
    sentences = (
        *answer(outcome.ratios),
        *launch_bound(outcome.summary),
        *speed_up_sentences(found),
    )
    if sentences:
        say_line(out, "")
    for text in sentences:
        say(out, text)
    more = to_know_more(outcome.ratios, outcome.summary)
    if more is not None:
        say(out, f"{more.text}:")
        say_line(out, f"  {more.command}")


def show_notes(out: Console, outcome: Outcome, *, in_full: bool) -> None:
    """What the reader should know beside the numbers: warnings of the run, and sanity checks."""
    warnings = map(str, outcome.environment.get("warnings") or ())
    notes = list(dict.fromkeys([*warnings, *outcome.analysis.sanity]))
    if not notes:
        return
    count = f"{len(notes)} note{'s' * (len(notes) > 1)}"
    say_line(out, "")
    if in_full:
        say_line(out, f"{count}:")
        for text in notes:
            say(out, f"  {text}", indent="  ")
        return
    say_line(out, f"{count} (bench show {quote(str(outcome.directory))} --notes):")
    for text in notes:
        say_line(out, cut(f"  {plain(text)}", out.width))


def _context(outcome: Outcome) -> str:
    """Machine, library and weights, in a line."""
    environment, summary = outcome.environment, outcome.summary
    cpu = (environment.get("machine") or {}).get("cpu") or "unknown processor"
    torch = (environment.get("software") or {}).get("torch") or "?"
    threads = sorted(set(summary["threads"])) if len(summary) else []
    parts = [
        f"{cpu}, {', '.join(map(str, threads))} thread{'s' * (threads != [1])}",
        f"torch {torch}",
        f"{' and '.join(summary['weights'].unique())} weights",
    ]
    return plain(" | ".join(parts))


def _exit_code(say_: Callable[[str], None], outcome: Outcome, done: Mapping[str, Status]) -> int:
    """Say how the cases ended, where not all are well; returns the exit code."""
    skipped = [case for case, status in done.items() if status is Status.SKIPPED]
    failed = [c for c, status in done.items() if status is not Status.OK and c not in skipped]
    where = f"see {outcome.directory / 'cases.csv'}"
    if outcome.environment["run"]["state"] == "interrupted":
        again = resume_command(outcome.directory)
        say_(f"interrupted; what was measured is kept. Go on with: {again}")
        return INTERRUPTED
    if done and len(failed) + len(skipped) == len(done):
        how = f"{len(failed)} failed, {len(skipped)} were skipped" if skipped else "all failed"
        raise NothingMeasuredError(f"of {len(done)} cases {how}: {where}")
    if skipped:
        say_(f"{len(skipped)} of {len(done)} cases skipped, which cannot run here: {where}")
    if failed:
        say_(f"{len(failed)} of {len(done)} cases failed: {where}")
        return FAILED
    return 0


def _time_lines(spent: Mapping[str, Any]) -> list[str]:
    """Where the time went; a warning where little of the timing was forwards."""
    if "total_s" not in spent:
        return []
    parts = [
        f"{spent[name]:.0f} {words}"
        for name, words in (
            ("forwards_s", "in forwards"),
            ("start_s", "starting processes"),
            ("load_s", "loading models"),
        )
        if spent.get(name)
    ]
    text = f"{spent['total_s']:.0f} s" + (f": {', '.join(parts)}" if parts else "")
    share = spent.get("forwards_share")
    if share is not None and share < TIMED_SHARE:
        text += f"; {share:.0%} of timing were forwards: the machine was busy with other things"
    return [text]
