"""A process pair: both sides' workers alive at the same time, taking turns in small blocks."""

from __future__ import annotations

import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from bench.core.allocator import Allocator
from bench.gate.environments import Environment
from bench.gate.git import without_repository
from bench.gate.outputs import Outputs
from bench.gate.sides import CaseError, Side, SideError
from bench.runner.process import ending, kill, read_lines, worker_environment

SIDE_SCRIPT = Path(__file__).with_name("side_process.py")

Order = dict[str, Any]


@dataclass
class ProcessPair:
    """Two fresh processes, started together; each waits while the other runs."""

    sides: Mapping[Side, Environment]
    order: Mapping[Side, Order]
    """What each side loads (`bench/gate/side_process.py` says how it is written)."""
    timeout_s: float
    _processes: dict[Side, _SideProcess] = field(default_factory=dict, init=False)
    _failed: dict[str, dict[Side, str]] = field(default_factory=dict, init=False)
    _versions: dict[Side, Mapping[str, str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        try:
            for name in Side:
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

    def failed(self) -> Mapping[str, Mapping[Side, str]]:
        """See Pair."""
        return self._failed

    def versions(self) -> Mapping[Side, Mapping[str, str]]:
        """See Pair."""
        return self._versions

    def turn(self, side: Side, case: str, forwards: int, draw: int) -> list[tuple[float, float]]:
        """See Pair."""
        command = {"do": "run", "case": case, "forwards": forwards, "draw": draw}
        block = self.ask(side, command)
        return list(zip(block["wall_s"], block["cpu_s"], strict=True))

    def outputs(self, side: Side, case: str) -> Outputs:
        """See Pair."""
        with tempfile.TemporaryDirectory(prefix="bench-") as place:
            path = Path(place) / "outputs.npz"
            answer = self.ask(side, {"do": "outputs", "case": case, "path": str(path)})
            with np.load(path, allow_pickle=False) as arrays:
                return Outputs([arrays[name] for name in sorted(arrays)], answer["dtypes"])

    def ask(self, side: Side, command: dict[str, Any]) -> dict[str, Any]:
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

    def __init__(
        self, name: Side, environment: Environment, order: Order, timeout_s: float
    ) -> None:
        self._name, self._timeout_s = name, timeout_s
        self._errors: TextIO = tempfile.TemporaryFile(  # noqa: SIM115 - closed in `close`
            "w+", encoding="utf-8", errors="replace"
        )
        # Only what the side itself imports may be on its path: not this project's directory.
        variables = worker_environment(order["threads"], Allocator.STEADY)
        variables.pop("PYTHONPATH")
        variables = without_repository(variables)
        self._process = subprocess.Popen(
            [str(environment.python), str(SIDE_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env=variables,
            start_new_session=True,  # Ctrl-C in the terminal is the parent's to handle
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=read_lines, args=(self._process, self._lines), daemon=True).start()
        self._send({**order, "paths": [str(p) for p in environment.paths]})

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
