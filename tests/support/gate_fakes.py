"""Stand-ins for the gate's sides: pairs without processes, and a user's module under test."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np

from bench.gate import process_pair as pairs
from bench.gate.cases import Asked, order, timed_cases
from bench.gate.environments import Environment
from bench.gate.outputs import Outputs
from bench.gate.sides import Side


class FakePair:
    """A pair without processes: `seconds` gives the wall time of a forward by side and case.

    Its clock (`now`) is moved by forwards, and by `asking_s` for each turn. `output` gives what a
    forward returns, by side and the number that its inputs were drawn by.
    """

    def __init__(
        self,
        seconds,
        failed=None,
        journal=None,
        asking_s=0.0,
        torches=("2.6.0", "2.6.0"),
        output=lambda _, draw: draw,
    ):
        self.output, self.drawn = output, {}
        self.seconds, self._failed = seconds, failed or {}
        self.asking_s, self.now_s = asking_s, 0.0
        self.torches = torches
        self.journal = [] if journal is None else journal
        self.closed = False

    def failed(self):
        """See Pair."""
        return self._failed

    def versions(self):
        """See Pair."""
        return {side: {"torch": torch} for side, torch in zip(Side, self.torches, strict=True)}

    def turn(self, side, case, forwards, draw):
        """See Pair."""
        self.drawn[side] = draw
        self.journal.append((side, forwards))
        took = self.seconds(side, case)
        self.now_s += self.asking_s + forwards * took
        return [(took, 2 * took)] * forwards

    def outputs(self, side, case):
        """See Pair."""
        del case
        return Outputs([np.float32([self.output(side, self.drawn[side])])], ["float32"])

    def now(self):
        """Seconds since it was made."""
        return self.now_s

    def close(self):
        """See Pair."""
        self.closed = True


def slower_by(factor, noise=0.0, seed=3):
    """Seconds of a forward: 0.1 on the baseline, `factor` times that on the candidate."""
    rng = random.Random(seed)
    return lambda side, _: (
        0.1 * (factor if side is Side.CANDIDATE else 1) * math.exp(rng.gauss(0, noise))
    )


FACTORY = """
import torch

def make():
    module = torch.nn.Sequential(*[torch.nn.Linear(8, 8) for _ in range({layers})])
    return module, [torch.ones(2, 8)]

def caches():
    module, inputs = make()
    forward, found = module.forward, []
    def cached(x):
        if not found:
            found.append(forward(x))
        return found[0]
    if {layers} > 1:
        module = torch.nn.Sequential(module[0])
        forward = module[0].forward
        module.forward = cached
    else:
        module = torch.nn.Sequential(module[0])
    return module, inputs

def breaks():
    return (lambda x: x).no_such_attribute

def tells_its_allocator():
    import os
    raise ValueError(os.environ["MALLOC_MMAP_MAX_"], os.environ["MALLOC_TRIM_THRESHOLD_"])
"""


def write_factory(directory, layers):
    """A module under test, as a user has it."""
    directory.mkdir(exist_ok=True)
    (directory / "mine.py").write_text(
        textwrap.dedent(FACTORY).format(layers=layers), encoding="utf-8"
    )
    return directory


def real_pair(old, new, *names, python=sys.executable):
    """Two real processes over the factories in two directories."""
    both = {
        name: Environment(name, Path(python), (tree,), is_ours=False)
        for name, tree in zip(Side, (old, new), strict=True)
    }
    cases = timed_cases(Asked(tuple(f"mine:{name}" for name in names)))
    orders = {name: order(cases, side, Asked(), 0, {}) for name, side in both.items()}
    return pairs.ProcessPair(both, orders, timeout_s=120)


def repository(tmp_path, monkeypatch):
    """A git repository with one commit of such a module; worktrees go to the test's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = write_factory(tmp_path / "repository", 1)
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "one")
    return tree


def git(directory, *arguments):
    """Git with an author."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(directory), *who, *arguments]
    subprocess.run(command, check=True, capture_output=True)
