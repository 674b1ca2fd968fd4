"""The gate's commands: options, and what they say."""

from __future__ import annotations

import sys

import pytest
from fakes import bench
from gate_fakes import repository

pytestmark = pytest.mark.process


def test_our_models_are_no_test_of_another_projects_refs(tmp_path, monkeypatch):
    """Both sides would run the same code: the user is told to name code of the project's own."""
    tree = repository(tmp_path, monkeypatch)
    done = bench("check", "--against", "HEAD", cwd=tree)
    assert done.returncode == 2
    assert "--model module:function" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--threshold", "5"), "--threshold is 5"),
        (("--max-time", "0"), "--max-time is 0"),
        (("--seq-len", "0"), "--seq-len is 0"),
        (("--dtype", "int8"), "--dtype is int8"),
        (("--clock", "cpu", "--device", "cuda"), "--clock is cpu"),
    ],
)
def test_wrong_options_are_one_clear_line(tmp_path, options, told):
    """Each is refused before any process is started."""
    _refused(tmp_path, ("check", "--against", sys.executable, *options), told)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("check", "--baseline", "main", "--device", "zzz"), "--device has no effect without"),
        (("check", "--baseline", "main", "--max-time", "900"), "--max-time has no effect without"),
        (("check", "--baseline", "main", "--threshold", "5%"), "--threshold has no effect without"),
        (("noise", "--study", "--pairs", "6"), "--pairs has no effect with --study"),
        (("noise", "--sessions", "40"), "--sessions has no effect without --study"),
    ],
)
def test_options_without_effect_are_refused(tmp_path, command, told):
    """A gate that was asked for more than it does must not pass; nor with the usual value."""
    _refused(tmp_path, command, told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--pairs", "2"), "--pairs is 2"),
        (("--timeout", "-1"), "--timeout is -1"),
        (("--study", "--timeout", "nan"), "--timeout is nan"),
        (("--study", "--gate-runs", "-3"), "--gate-runs is -3"),
        (("--recorded", "nowhere"), "cannot be read as a study's facts"),
        (("--recorded", "nowhere", "--pairs", "6"), "--pairs has no effect with --recorded"),
    ],
)
def test_a_study_of_noise_with_wrong_options_is_refused(tmp_path, options, told):
    """Nothing is left behind."""
    _refused(tmp_path, ("noise", *options), told)


def _refused(directory, command, told):
    done = bench(*command, cwd=directory)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert not list(directory.iterdir())


def test_a_study_of_code_that_is_not_there_says_so(tmp_path):
    """Its calibration needs every case; the reason of the side is told, without a traceback."""
    done = bench("noise", "--study", "--model", "typo:make", cwd=tmp_path)
    assert done.returncode == 3
    assert "No module named 'typo'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_says_what_is_missing(tmp_path):
    """Without a baseline or another side there is nothing to check against: exit code 2."""
    done = bench("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "--baseline" in done.stderr
