"""Which two environments the gate compares."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from gate_fakes import repository, write_factory

from bench.core.errors import UsageError
from bench.gate import environments


def test_a_git_ref_is_checked_out_once_beside_the_working_tree(tmp_path, monkeypatch):
    """The baseline holds the code of the ref, the candidate the code as it is; same interpreter."""
    tree = repository(tmp_path, monkeypatch)
    write_factory(tree, 2)
    notes = []
    old, new = environments.resolve("HEAD", tree, notes.append)
    again, _ = environments.resolve("HEAD", tree, notes.append)
    assert "range(1)" in (old.paths[0] / "mine.py").read_text(encoding="utf-8")
    assert "range(2)" in (new.paths[0] / "mine.py").read_text(encoding="utf-8")
    assert old.python == new.python == Path(sys.executable)
    assert old == again
    assert len(notes) == 1


@pytest.mark.parametrize("damage", ["changed", "gone", "of another commit"])
def test_a_checkout_that_is_not_the_ref_any_more_is_made_again(tmp_path, monkeypatch, damage):
    """Killed while it was made, or tidied by somebody: the baseline would be code of no commit."""
    tree = repository(tmp_path, monkeypatch)
    notes = []
    old, _ = environments.resolve("HEAD", tree, notes.append)
    mine = old.paths[0] / "mine.py"
    if damage == "changed":
        mine.write_text("", encoding="utf-8")
    elif damage == "gone":
        mine.unlink()
    else:
        (old.paths[0] / ".git").write_text("gitdir: nowhere", encoding="utf-8")
    again, _ = environments.resolve("HEAD", tree, notes.append)
    assert again == old
    assert "range(1)" in mine.read_text(encoding="utf-8")
    assert len(notes) == 2


@pytest.mark.parametrize("gone", ["repository", "commit", "unused"])
def test_checkouts_that_nobody_can_use_are_removed_at_the_next_start(tmp_path, monkeypatch, gone):
    """Their repository or commit is gone, or no gate has asked for them in a month."""
    tree = repository(tmp_path, monkeypatch)
    old, _ = environments.resolve("HEAD", tree, print)
    checkout, trees = old.paths[0], environments.cache() / "trees"
    assert environments.prune(trees) == []
    if gone == "repository":
        shutil.rmtree(tree)
    elif gone == "commit":
        shutil.rmtree(tree / ".git" / "objects")
        (tree / ".git" / "objects").mkdir()
    else:
        month_ago = time.time() - environments.UNUSED_S - 1
        os.utime(checkout, (month_ago, month_ago))
    assert environments.prune(trees) == [checkout]
    assert list(trees.iterdir()) == []


def test_a_checkout_in_the_making_is_left_alone(tmp_path):
    """Another gate holds its lock."""
    (tmp_path / "half").mkdir()
    with FileLock(tmp_path / "half.lock"):
        assert environments.prune(tmp_path) == []
    assert (tmp_path / "half").is_dir()


def test_what_is_neither_interpreter_nor_ref_is_refused(tmp_path):
    """The error says that both were tried."""
    with pytest.raises(UsageError, match="no such interpreter"):
        environments.resolve("no-such-ref", tmp_path, print)


@pytest.mark.process
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#!/bin/sh\necho a file\n", "that program is not a Python interpreter"),
        ("no program at all", "that program is not a Python interpreter"),
        ("#!/bin/sh\necho False\n", "that Python is older than 3.10"),
    ],
)
def test_a_program_that_is_no_python_is_refused(tmp_path, text, told):
    """It is asked before anything is measured."""
    program = tmp_path / "program"
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(UsageError, match=told):
        environments.resolve(str(program), tmp_path, print)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("constraints.txt", None, "torch==2.6.0"),
        ("requirements-dev.txt", "torch", "torch<3"),
        ("uv.lock", "torch 2.6.0", "torch 2.9.1"),
        ("pyproject.toml", '[tool.poetry.dependencies]\ntorch = "2.6.0"', None),
        ("pyproject.toml", '[dependency-groups]\nrun = ["torch==2.6.0"]', None),
        ("pyproject.toml", '[project]\ndependencies = ["torch"]', None),
    ],
)
def test_whatever_names_dependencies_decides_the_environment(tmp_path, file, before, after):
    """Two trees that would install different things never share an interpreter."""
    digests = set()
    for text in (before, after or before.replace("2.6.0", "2.9.1").replace('"]', '>1"]')):
        if text is not None:
            (tmp_path / file).write_text(text, encoding="utf-8")
        digests.add(environments.dependencies(tmp_path))
    assert len(digests) == 2


def test_what_installs_nothing_decides_no_environment(tmp_path):
    """A linter's setting, a version of the project's own or a lock of this tool's builds none."""
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[project]\nversion = "1"\ndependencies = ["torch"]\n', encoding="utf-8")
    first = environments.dependencies(tmp_path)
    changed = pyproject.read_text(encoding="utf-8").replace('"1"', '"2"')
    pyproject.write_text(f"{changed}[tool.ruff]\nline-length = 90\n", encoding="utf-8")
    (tmp_path / ".lock").touch()
    assert environments.dependencies(tmp_path) == first


def test_a_tree_of_any_builder_can_be_installed(tmp_path):
    """Poetry names its dependencies where pip does not look; its builder tells pip."""
    with pytest.raises(UsageError, match="names no dependencies"):
        environments._requirements(tmp_path)
    text = '[build-system]\nrequires = ["poetry-core"]\n[tool.poetry.dependencies]\ntorch = "2"\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert environments._requirements(tmp_path) == [str(tmp_path)]
