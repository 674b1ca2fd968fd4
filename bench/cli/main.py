"""The `bench` command: its verbs, and how it ends when something is wrong."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from typing import Any

import typer
import typer.core

from bench.cli import gate, health, report, run, show
from bench.core.errors import BenchError, OutputError, UsageError
from bench.runner.signals import detach_stdio

CommandLineError: Any = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)
"""What every wrong option or argument raises; typer has it from click or from its own copy."""


class _Commands(typer.core.TyperGroup):
    """Lets an interruption through to `main`: typer would end the command without a word."""

    def invoke(self, ctx: Any) -> Any:
        """An interruption becomes the end that `main` reports."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Abort from None


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="BERT or ALBERT, on my machine, for my load? Measures both side by side, with intervals.",
    epilog="Exit codes: 0 all well, 1 a case failed, 2 bad input, 3 nothing measured, 4 results could not be written, 130 interrupted.",
)
for verbs in (run.verbs, show.verbs, report.verbs, gate.verbs, health.verbs):
    app.add_typer(verbs)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr, never a traceback."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # a polite end leaves nothing behind
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except CommandLineError as mistake:
        text = mistake.format_message()
        typer.echo(f"bench: {' '.join(text.split())} (see --help)", err=True)
        sys.exit(UsageError.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("bench: interrupted", err=True)
        sys.exit(130)
    except BenchError as error:
        typer.echo(f"bench: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a closed pipe: of the machine's making, not of ours
        _report_last(f"bench: cannot go on: {error}")
        sys.exit(OutputError.exit_code)


def _report_last(text: str) -> None:
    """Report why the command ends, though what it wrote to may be gone."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    detach_stdio()  # what is still buffered has nowhere to go, and the exit would report that


if __name__ == "__main__":
    main()
