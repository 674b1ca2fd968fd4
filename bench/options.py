"""Options that several verbs of the command line share."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

BatchSizes = Annotated[
    list[int], typer.Option("--batch-size", help="Sequences per forward; repeatable.")
]
SeqLens = Annotated[list[int], typer.Option("--seq-len", help="Tokens per sequence; repeatable.")]
Threads = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--threads", help="CPU threads of a forward; all physical cores when not given."),
]
