"""Which two environments the gate compares."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from gate_fakes import repository, write_factory

from bench.errors import UsageError
from bench.gate import sides


def test_a_git_ref_is_checked_out_once_beside_the_working_tree(tmp_path, monkeypatch):
    """The baseline holds the code of the ref, the candidate the code as it is; same interpreter."""
    tree = repository(tmp_path, monkeypatch)
    write_factory(tree, 2)
    notes = []
    old, new = sides.resolve("HEAD", tree, notes.append)
    again, _ = sides.resolve("HEAD", tree, notes.append)
    assert "range(1)" in (old.paths[0] / "mine.py").read_text(encoding="utf-8")
    assert "range(2)" in (new.paths[0] / "mine.py").read_text(encoding="utf-8")
    assert old.python == new.python == Path(sys.executable)
    assert old == again
    assert len(notes) == 1


def test_what_is_neither_interpreter_nor_ref_is_refused(tmp_path):
    """The error says that both were tried."""
    with pytest.raises(UsageError, match="no such interpreter"):
        sides.resolve("no-such-ref", tmp_path, print)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#!/bin/sh\necho a file\n", "that program is no Python interpreter"),
        ("no program at all", "that program is no Python interpreter"),
        ("#!/bin/sh\necho False\n", "that Python is older than 3.10"),
    ],
)
def test_a_program_that_is_no_python_is_refused(tmp_path, text, told):
    """It is asked before anything is measured."""
    program = tmp_path / "program"
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(UsageError, match=told):
        sides.resolve(str(program), tmp_path, print)


def test_only_dependencies_decide_the_environment(tmp_path):
    """A changed linter setting builds no new environment; a changed pin does."""
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[project]\nname = "a"\ndependencies = ["torch"]\n', encoding="utf-8")
    first = sides.dependencies(tmp_path)
    pyproject.write_text(pyproject.read_text() + "[tool.x]\ny = 1\n", encoding="utf-8")
    assert sides.dependencies(tmp_path) == first
    (tmp_path / "constraints.txt").write_text("torch==2.6.0\n", encoding="utf-8")
    assert sides.dependencies(tmp_path) != first
