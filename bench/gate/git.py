"""Git as the gate calls it: blind to the repository that a hook of git's stands in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path


def git(directory: Path, *arguments: str) -> str | None:
    """What git prints in a directory, or None when it refuses or is not installed."""
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            check=False,
            env=without_repository(os.environ),
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def without_repository(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables that name a repository.

    Inside a hook they name the commit being made: a checkout elsewhere would be written into its
    index.
    """
    return {name: value for name, value in environment.items() if name not in _local_variables()}


@cache
def _local_variables() -> frozenset[str]:
    """The variables that belong to one repository, as the installed git lists them."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--local-env-vars"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return frozenset()
    return frozenset(done.stdout.split())
