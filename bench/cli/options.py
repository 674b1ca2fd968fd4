"""Options that several verbs of the command line share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.core.architecture import Weights
from bench.machine.fingerprint import default_threads

BatchSizes = Annotated[
    list[int], typer.Option("--batch-size", help="Sequences per forward; repeatable.")
]
SeqLens = Annotated[list[int], typer.Option("--seq-len", help="Tokens per sequence; repeatable.")]
Threads = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--threads", help="CPU threads of a forward; all physical cores when not given."),
]
Names = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer needs it spelled so on Python 3.10
    typer.Argument(metavar="[SUITE]...", help="Suites to run; the usual ones when none is named."),
]
ProfileName = Annotated[str, typer.Option("--profile", help="quick (minutes) or full (hours).")]
Models = Annotated[
    list[str],
    typer.Option(
        "--model", help="Registry name, hub id or directory; repeatable. First = reference."
    ),
]
Devices = Annotated[
    list[str], typer.Option("--device", help="cpu, cuda or cuda:N; repeatable. All there are.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Dtypes = Annotated[
    list[str],
    typer.Option("--dtype", help="float32 (usual), bfloat16, float16 or int8; repeatable."),
]
Attentions = Annotated[
    list[str], typer.Option("--attention", help="sdpa (usual), eager or flash; repeatable.")
]
Backends = Annotated[
    list[str], typer.Option("--backend", help="torch (usual), onnxruntime or openvino; repeatable.")
]
Compiles = Annotated[
    list[str],
    typer.Option(
        "--compile", help="none (usual), default, reduce-overhead or max-autotune; repeatable."
    ),
]
Heads = Annotated[
    list[str],
    typer.Option(
        "--head",
        help="features (usual), masked-lm, sequence-classification, token-classification or question-answering; repeatable.",
    ),
]
Caches = Annotated[
    list[str], typer.Option("--cache", help="warm (usual) or cold-l2 (CUDA); repeatable.")
]
WeightsKind = Annotated[
    Weights, typer.Option(help="pretrained, random, or auto: pretrained where they can be had.")
]
MemoryLimit = Annotated[
    str,
    typer.Option(
        "--memory-limit",
        help="For `capacity`: what must suffice, like 2GB or 500MiB (CPU: needed).",
    ),
]
TextFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Measure on this text, a sequence a line, with each model's tokenizer."),
]
Repeats = Annotated[
    Optional[int],  # noqa: UP045 - see Names
    typer.Option("--repeats", help="Fresh processes per timed case, at most."),
]
Precision = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--precision", help="Stop when ratios are known to this fraction (0.02)."),
]
Budget = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--budget", help="Seconds of sampling per case, at most."),
]


def wanted_threads(threads: int | None) -> int:
    """The number of threads that `--threads` says, or all there are."""
    return default_threads() if threads is None else threads
