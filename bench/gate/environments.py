"""Which two environments are compared: another interpreter, or another git ref of this checkout."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.compare import thresholds
from bench.core.errors import BenchError, UsageError
from bench.gate.git import git, without_repository

LOCKS = ("[!.]*.lock", "pylock*.toml")
DEPENDENCIES = ("constraints.txt", "requirements*.txt", "setup.py", "setup.cfg", "Pipfile", *LOCKS)
"""Files that decide, with pyproject.toml, what has to be installed for a tree."""
NO_INSTALLERS = frozenset(
    {"bench", "black", "coverage", "isort", "mypy", "pyright", "pytest", "ruff"}
)
"""Tools whose settings install nothing; any other may name dependencies, as poetry's do."""
OURS = ("suites/models.py", "bench/__init__.py")
"""Files that show a tree to be a checkout of this project, whenever it was made."""
ERROR_LINES = 3
START_S = 60.0
"""A Python that does not start within this time is none to gate with."""
UNUSED_S = 30 * 24 * 3600.0
"""A checkout that no gate has used for a month is removed; it is made again in seconds."""

Note = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """One environment: an interpreter, and directories that it imports from before all others."""

    label: str
    python: Path
    paths: tuple[Path, ...]
    is_ours: bool
    """Whether `paths` hold a checkout of this project, which then builds its own models."""


def resolve(against: str, directory: Path, note: Note) -> tuple[Environment, Environment]:
    """The baseline that `against` names and the candidate, which is the tree at `directory`.

    Two interpreters are compared over the same code; two refs each over their own.
    """
    python = Path(against).expanduser()
    if python.is_file() and os.access(python, os.X_OK):
        _check_python(against, python)
        # Not resolved: an environment's interpreter is known by the path it is called by.
        other = python.absolute()
        paths = import_paths(directory)
        return (
            Environment(against, other, paths, is_ours=False),
            Environment("this interpreter", Path(sys.executable), paths, is_ours=False),
        )
    root, commit = _commit(against, directory)
    tree = _worktree(root, commit, note)
    here = Environment("the working tree", Path(sys.executable), import_paths(root), _ours(root))
    python = Path(sys.executable)
    if dependencies(tree) != dependencies(root):
        python = _environment(tree, note)
    return Environment(f"{against} ({commit[:9]})", python, import_paths(tree), _ours(tree)), here


def _check_python(against: str, program: Path) -> None:
    """Refuse a program that is no Python before anything is measured."""
    question = [str(program.absolute()), "-c", "import sys; print(sys.version_info >= (3, 10))"]
    try:
        done = subprocess.run(
            question, capture_output=True, text=True, check=False, timeout=START_S
        )
        said = done.stdout.strip()
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said not in ("True", "False"):
        raise UsageError(f"--against is {against!r}: that program is not a Python interpreter")
    if said == "False":
        raise UsageError(f"--against is {against!r}: that Python is older than 3.10")


def import_paths(tree: Path) -> tuple[Path, ...]:
    """Where Python finds the modules of a tree: itself, and `src` where there is one."""
    source = tree / "src"
    return (source, tree) if source.is_dir() else (tree,)


def dependencies(tree: Path) -> str:
    """A digest of all that decides what is installed for a tree; equal ones can share it."""
    described = [sys.version.encode()]
    table = _pyproject(tree)
    table["project"] = {k: v for k, v in table.get("project", {}).items() if "dependencies" in k}
    table["tool"] = {k: v for k, v in table.get("tool", {}).items() if k not in NO_INSTALLERS}
    described.append(json.dumps(table, sort_keys=True, default=str).encode())
    for file in _matching(tree, DEPENDENCIES):
        described += [file.name.encode(), file.read_bytes()]
    return hashlib.sha256(b"\0".join(described)).hexdigest()[:16]


def _pyproject(tree: Path) -> dict[str, Any]:
    path = tree / thresholds.PYPROJECT
    return thresholds.toml(path) if path.is_file() else {}


def _matching(tree: Path, patterns: Sequence[str]) -> list[Path]:
    found = {path for pattern in patterns for path in tree.glob(pattern) if path.is_file()}
    return sorted(found)


def cache() -> Path:
    """Where worktrees and environments of refs are kept between runs of the gate."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "bert-albert-bench"


def _ours(tree: Path) -> bool:
    return all((tree / name).is_file() for name in OURS)


def _commit(ref: str, directory: Path) -> tuple[Path, str]:
    """The repository around `directory`, and the commit that `ref` means there."""
    if shutil.which("git") is None:
        raise UsageError(f"--against is {ref!r}: no such interpreter, and there is no git here")
    root = git(directory, "rev-parse", "--show-toplevel")
    commit = git(
        directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
    )
    if root is None or commit is None:
        place = f"in the repository {root}" if root else f"({directory} is in no git repository)"
        raise UsageError(f"--against is {ref!r}: no such interpreter, and no such git ref {place}")
    return Path(root), commit


def _worktree(root: Path, commit: str, note: Note) -> Path:
    """A checkout of a commit, made once and again where it is not whole any more.

    git forgets it by itself when the cache is cleared.
    """
    from filelock import FileLock

    name = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    trees = cache() / "trees"
    prune(trees)
    tree = trees / f"{name}-{commit[:16]}"
    trees.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{tree}.lock"):
        if (tree / ".git").exists() and git(tree, "rev-parse", "HEAD") == commit:
            changed = git(tree, "status", "--porcelain", "--untracked-files=no")
            if changed == "":
                os.utime(tree)  # it is in use: see `prune`
                return tree
        note(f"checking out {commit[:9]}")
        shutil.rmtree(tree, ignore_errors=True)
        git(root, "worktree", "prune")
        if git(root, "worktree", "add", "--detach", str(tree), commit) is None:
            raise BenchError(f"git could not check out {commit[:9]} to {tree}")
    return tree


def prune(trees: Path) -> list[Path]:
    """Remove the checkouts of which the repository or the commit is gone, and those long unused.

    One that another process is making is left alone. Returns what was removed.
    """
    from filelock import FileLock, Timeout

    removed = []
    for tree in sorted(path for path in trees.glob("*") if path.is_dir()):
        unused_s = time.time() - tree.stat().st_mtime
        if unused_s < UNUSED_S and git(tree, "cat-file", "-e", "HEAD^{commit}") is not None:
            continue
        try:
            with FileLock(f"{tree}.lock", timeout=0):
                shutil.rmtree(tree, ignore_errors=True)
        except Timeout:
            continue
        Path(f"{tree}.lock").unlink(missing_ok=True)
        removed.append(tree)
    return removed


def _environment(tree: Path, note: Note) -> Path:
    """The interpreter of an environment with a tree's dependencies, built once per set of them."""
    from filelock import FileLock

    place = cache() / "environments" / dependencies(tree)
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = place / "complete"
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{place}.lock"):
        if not done.exists():
            note("its dependencies differ from those here: building an environment (minutes, once)")
            for lock in _matching(tree, LOCKS):
                note(
                    f"pip installs what the ref allows, not what its {lock.name} has: for that, "
                    "give --against the interpreter of an environment made from it"
                )
            shutil.rmtree(place, ignore_errors=True)
            _do([sys.executable, "-m", "venv", str(place)])
            _do([str(python), "-m", "pip", "install", "--quiet", *_requirements(tree)])
            done.touch()
    return python


def _requirements(tree: Path) -> list[str]:
    """Arguments of pip that install what a tree asks for; its own code is imported from there."""
    limits = tree / "constraints.txt"
    chosen = ["-c", str(limits)] if limits.is_file() else []
    table = _pyproject(tree)
    if table.get("project", {}).get("dependencies"):
        return [*chosen, *table["project"]["dependencies"]]
    if table.keys() & {"project", "build-system"} or (tree / "setup.py").is_file():
        return [*chosen, str(tree)]
    wanted = tree / "requirements.txt"
    if wanted.is_file():
        return [*chosen, "-r", str(wanted)]
    raise UsageError(f"{tree} names no dependencies: add a pyproject.toml or requirements.txt")


def _do(command: list[Any]) -> None:
    # Pip calls git for some requirements.
    environment = without_repository(os.environ)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        last = " | ".join((done.stderr or done.stdout).strip().splitlines()[-ERROR_LINES:])
        raise BenchError(f"{' '.join(command[:4])} ... failed: {last}")
