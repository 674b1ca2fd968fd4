"""A process pair: both sides' workers alive at the same time, taking turns in small blocks."""

from __future__ import annotations

import json
import math
import queue
import random
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

from bench.core.rounds import WARMUP_FORWARDS, WARMUP_S, balanced_orders, block_size
from bench.gate.environments import Side
from bench.gate.git import without_repository
from bench.machine.allocator import STEADY_ALLOCATOR
from bench.runner.process import ending, kill, read_lines, worker_environment

BASELINE, CANDIDATE = "baseline", "candidate"
SIDES = (BASELINE, CANDIDATE)
SAMPLING_S = 8.0
"""Seconds of forwards of a case in one pair: more would not help, since a process's luck stays."""
MOST_SAMPLING_S = 3 * SAMPLING_S
"""On the wall, where other programs take the core, or asking takes longer than a short forward."""
MOST_WARMUP_S = 3 * WARMUP_S
"""Likewise."""
LEAST_BLOCK = 2
"""Forwards of which a block's minimum is taken, at least."""
LEAST_ROUNDS = 4
"""Two balanced sets, however long a forward takes."""
MOST_ROUNDS = 1000
"""However short: their median is far steadier than a process's luck, and every forward is kept."""
SIDE_SCRIPT = Path(__file__).with_name("side_process.py")

Order = dict[str, Any]


class SideError(Exception):
    """A side that cannot go on: which one, and why."""


class CaseError(Exception):
    """A case that a side cannot run, and why."""


@dataclass(frozen=True)
class Turn:
    """One forward of one side, in seconds."""

    side: str
    phase: str
    round: int
    wall_s: float
    cpu_s: float


class Pair(Protocol):
    """The seam for process pairs: tests put scripted sides here."""

    def failed(self) -> Mapping[str, Mapping[str, str]]:
        """Cases that could not be loaded, by id: the reason of each side that could not."""

    def versions(self) -> Mapping[str, Mapping[str, str]]:
        """By side, the versions of what it runs on."""

    def turn(self, side: str, case: str, forwards: int) -> list[tuple[float, float]]:
        """Let one side run forwards of a case; wall and CPU seconds of each."""

    def close(self) -> None:
        """End both processes."""


@dataclass
class ProcessPair:
    """Two fresh processes, started together; each waits while the other runs."""

    sides: Mapping[str, Side]
    order: Mapping[str, Order]
    """What each side loads (`bench/gate/side_process.py` says how it is written)."""
    timeout_s: float
    _processes: dict[str, _SideProcess] = field(default_factory=dict, init=False)
    _failed: dict[str, dict[str, str]] = field(default_factory=dict, init=False)
    _versions: dict[str, Mapping[str, str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        try:
            for name in SIDES:
                self._processes[name] = _SideProcess(
                    name, self.sides[name], self.order[name], self.timeout_s
                )
            for name, process in self._processes.items():
                failed, self._versions[name] = process.load()
                for case, reason in failed.items():
                    self._failed.setdefault(case, {})[name] = reason
        except BaseException:
            self.close()
            raise

    def failed(self) -> Mapping[str, Mapping[str, str]]:
        """See Pair."""
        return self._failed

    def versions(self) -> Mapping[str, Mapping[str, str]]:
        """See Pair."""
        return self._versions

    def turn(self, side: str, case: str, forwards: int) -> list[tuple[float, float]]:
        """See Pair."""
        block = self.ask(side, {"do": "run", "case": case, "forwards": forwards})
        return list(zip(block["wall_s"], block["cpu_s"], strict=True))

    def ask(self, side: str, command: dict[str, Any]) -> dict[str, Any]:
        """Send a command to a side; its answer. Raises CaseError when the case fails."""
        answer = self._processes[side].ask(command)
        if answer["event"] == "failed":
            raise CaseError(f"{side}: {answer['reason']}")
        return answer

    def close(self) -> None:
        """See Pair."""
        for process in self._processes.values():
            process.close()


def _answer_in(line: str) -> dict[str, Any] | None:
    """The answer in a line; None for what Python's start-up printed before stdout was ours."""
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "event" in answer else None


class _SideProcess:
    """One side's process: an order goes in, then commands, each with one answer."""

    def __init__(self, name: str, side: Side, order: Order, timeout_s: float) -> None:
        self._name, self._timeout_s = name, timeout_s
        self._errors: TextIO = tempfile.TemporaryFile(  # noqa: SIM115 - closed in `close`
            "w+", encoding="utf-8", errors="replace"
        )
        # Only what the side itself imports may be on its path: not this project's directory.
        environment = {**STEADY_ALLOCATOR, **worker_environment(order["threads"])}
        environment.pop("PYTHONPATH")
        environment = without_repository(environment)
        self._process = subprocess.Popen(
            [str(side.python), str(SIDE_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal is the parent's to handle
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=read_lines, args=(self._process, self._lines), daemon=True).start()
        self._send({**order, "paths": [str(p) for p in side.paths]})

    def load(self) -> tuple[dict[str, str], dict[str, str]]:
        """Wait until every case is loaded; reasons of those that could not be, and versions."""
        failed = {}
        while (event := self._next())["event"] != "loaded":
            failed[event["case"]] = event["reason"]
        return failed, event["versions"]

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """One command, one answer."""
        self._send(command)
        return self._next()

    def _send(self, value: Mapping[str, Any]) -> None:
        if self._process.stdin is None:  # pragma: no cover - it is a pipe
            raise SideError(f"{self._name}: it has no stdin")
        try:
            self._process.stdin.write(json.dumps(value) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it died: `_next` says how

    def _next(self) -> dict[str, Any]:
        while True:
            try:
                line = self._lines.get(timeout=self._timeout_s)
            except queue.Empty:
                raise SideError(f"{self._name}: no answer for {self._timeout_s:g} s") from None
            if line is None:
                self._process.wait()
                reason = ending(self._process.returncode, False, self._errors).reason
                raise SideError(f"{self._name}: {reason}")
            event = _answer_in(line)
            if event is not None:
                return event

    def close(self) -> None:
        """End the process."""
        kill(self._process)
        self._errors.close()


def sample(
    pair: Pair, case: str, rng: random.Random, now: Callable[[], float] = time.monotonic
) -> list[Turn]:
    """All forwards of one case in one pair: warm-up, then rounds until SAMPLING_S has been run."""
    turns: list[Turn] = []
    warm: dict[str, float] = {}
    for side in SIDES:
        warmed = _warm_up(pair, side, case, now)
        warm[side] = warmed[-1].wall_s
        turns.extend(warmed)
    # Both sides run blocks of one size: the fastest of more forwards is a faster one.
    size = max(LEAST_BLOCK, block_size(max(warm.values())))
    began, ran_s, last = now(), 0.0, SIDES[-1]
    for count, order in enumerate(balanced_orders(list(SIDES), rng), start=1):
        for side in order:
            switched = side != last
            took = pair.turn(side, case, size + switched)
            phases = ["switch"] * switched + ["sample"] * size
            turns.extend(
                Turn(side, phase, count, wall, cpu)
                for phase, (wall, cpu) in zip(phases, took, strict=True)
            )
            last = side
            # Time in which a forward waited for its core tells nothing of it.
            ran_s += sum(min(wall, cpu) for wall, cpu in took)
        balanced = count % len(SIDES) == 0
        enough = ran_s >= SAMPLING_S or now() - began >= MOST_SAMPLING_S or count >= MOST_ROUNDS
        if balanced and count >= LEAST_ROUNDS and enough:
            return turns
    raise AssertionError("orders never end")  # pragma: no cover


def _warm_up(pair: Pair, side: str, case: str, now: Callable[[], float]) -> list[Turn]:
    turns: list[Turn] = []
    began, ran_s = now(), 0.0
    while len(turns) < WARMUP_FORWARDS or (ran_s < WARMUP_S and now() - began < MOST_WARMUP_S):
        for wall, cpu in pair.turn(side, case, 1):
            turns.append(Turn(side, "warmup", 0, wall, cpu))
            ran_s += wall
    return turns


def log_ratio(turns: Sequence[Turn], column: str) -> tuple[float, int]:
    """Median over rounds of log(candidate / baseline) of block minima, and how many rounds."""
    minima: dict[int, dict[str, float]] = {}
    for turn in turns:
        if turn.phase == "sample":
            block = minima.setdefault(turn.round, {})
            block[turn.side] = min(getattr(turn, column), block.get(turn.side, math.inf))
    logs = [
        math.log(block[CANDIDATE] / block[BASELINE])
        for block in minima.values()
        if all(block.get(side, 0.0) > 0 for side in SIDES)
    ]
    return (statistics.median(logs) if logs else math.nan), len(logs)
