"""Git as the gate calls it, inside git's own hooks."""

from __future__ import annotations

import sys

import pytest
from gate_fakes import git, repository, write_factory

from bench.gate import environments
from bench.gate.git import git as ours
from bench.gate.git import without_repository

HOOK = """#!/bin/sh
exec {python} - <<'EOF'
import sys
sys.path[:0] = {paths}
from pathlib import Path
from bench.gate.environments import resolve
resolve("HEAD", Path.cwd(), print)
EOF
"""


def test_a_commit_whose_hook_runs_the_gate_holds_what_was_staged(tmp_path, monkeypatch):
    """Git gives a hook the index of the commit being made: no checkout of ours enters it."""
    tree = repository(tmp_path, monkeypatch)
    (tree / "of-the-first-commit").write_text("x", encoding="utf-8")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "two")
    write_factory(tree, 2)
    git(tree, "rm", "--quiet", "of-the-first-commit")
    git(tree, "add", ".")
    staged = ours(tree, "write-tree")
    hook = tree / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK.format(python=sys.executable, paths=sys.path), encoding="utf-8")
    hook.chmod(0o755)
    # `-a` makes git write an index of its own, and name it to the hook.
    git(tree, "commit", "--quiet", "-a", "-m", "three")
    assert ours(tree, "rev-parse", "HEAD^{tree}") == staged
    assert ours(tree, "status", "--porcelain") == ""
    assert len(list((environments.cache() / "trees").glob("*/mine.py"))) == 1


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"])
def test_variables_that_name_a_repository_are_not_passed_on(name):
    """Others, such as the author's name, are."""
    assert without_repository({name: "x", "GIT_AUTHOR_NAME": "a"}) == {"GIT_AUTHOR_NAME": "a"}


def test_git_that_refuses_prints_nothing(tmp_path):
    """The caller says what that means."""
    assert ours(tmp_path, "rev-parse", "HEAD") is None
