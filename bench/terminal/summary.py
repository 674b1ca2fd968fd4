"""The end of a run in the terminal: table, answer, doubts, where things are, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from bench.core.case import Status
from bench.core.errors import NothingMeasuredError
from bench.results.store import resume_command
from bench.runner.finalize import TIMED_SHARE, Outcome
from bench.stats import sanity as lints
from bench.stats.speedups import compares_models, gains
from bench.terminal.progress import TerminalDisplay
from bench.terminal.results import show_gains, show_results
from bench.wording.sentences import gain_sentences, launch_bound, sentences

FAILED = 1
INTERRUPTED = 130
"""Exit code of a command ended by Ctrl-C (128 + SIGINT), as shells give it."""


def show_outcome(
    display: TerminalDisplay,
    outcome: Outcome,
    done: Mapping[str, Status],
    told: Collection[str],
    page: Path | None,
) -> int:
    """Print what a run found; `told` are the warnings printed before. Returns the exit code."""

    def say(text: str) -> None:
        display.console.print(text, markup=False, soft_wrap=True)

    found = gains(outcome.summary, outcome.ratios)
    if not compares_models(outcome.summary).empty:
        show_results(
            display.console, compares_models(outcome.summary), compares_models(outcome.ratios)
        )
    if found:
        show_gains(display.console, found)
    say("")
    said = (*sentences(outcome.ratios), *launch_bound(outcome.summary), *gain_sentences(found))
    for text in said:
        say(text)
    say("")
    doubts = lints.check(outcome.summary, outcome.ratios)
    for text in [*outcome.environment["warnings"], *doubts]:
        if text not in told:
            display.note(text)
    say(_time_line(outcome.environment["time_spent"]))
    say(f"results: {outcome.directory}")
    if page is not None:
        say(f"page: {page}")
    return _exit_code(say, outcome, done)


def _exit_code(say: Callable[[str], None], outcome: Outcome, done: Mapping[str, Status]) -> int:
    """Say how the cases ended, where not all are well; returns the exit code."""
    skipped = [case for case, status in done.items() if status is Status.SKIPPED]
    failed = [c for c, status in done.items() if status is not Status.OK and c not in skipped]
    where = f"see {outcome.directory / 'cases.csv'}"
    if outcome.environment["run"]["state"] == "interrupted":
        again = resume_command(outcome.directory)
        say(f"interrupted; what was measured is kept. Go on with: {again}")
        return INTERRUPTED
    if done and len(failed) + len(skipped) == len(done):
        how = f"{len(failed)} failed, {len(skipped)} were skipped" if skipped else "all failed"
        raise NothingMeasuredError(f"of {len(done)} cases {how}: {where}")
    if skipped:
        say(f"{len(skipped)} of {len(done)} cases skipped, which cannot run here: {where}")
    if failed:
        say(f"{len(failed)} of {len(done)} cases failed: {where}")
        return FAILED
    return 0


def _time_line(spent: Mapping[str, float]) -> str:
    """Where the time went; the share of forwards only where something was timed."""
    text = f"time: {spent['total_s']:.0f} s in all"
    share = spent.get("forwards_share")
    if share is not None:
        timing = spent["timed_s"] - spent.get("gemm_s", 0.0)
        text += (
            f"; {spent.get('start_s', 0):.0f} s starting workers, "
            f"{spent.get('load_s', 0):.0f} s loading models; "
            f"{share:.0%} of {timing:.0f} s of timing were forwards"
        )
        if share < TIMED_SHARE:
            text += f" (less than {TIMED_SHARE:.0%}: the machine was busy with other things)"
    return text
