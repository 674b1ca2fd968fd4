"""The cheap parts of a run on a lent GPU: arguments, limits, archives, packages brought along."""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import kit
import pytest
from packaging.requirements import Requirement

RUN = Path(kit.__file__).with_name("run.sh")
STEPS = """
add fine 5
step_fine() { echo measured; head -c 3000 /dev/zero >"$WORK/results/fine.csv"; }
add hangs 1
step_hangs() { echo before; sleep 600; }
add deaf 1
step_deaf() { trap '' INT; echo deaf; sleep 600 & wait; sleep 600; }
add broken 5
step_broken() { echo 'it broke'; return 3; }
add absent 5
step_absent() { skip 'not on this device'; }
GRACE=1
"""
"""Steps without a project: one that works, two that do not end, one that fails, one that skips."""
LIMIT = 4096
MADE = ("logs.tar.gz", "results.tar.gz", "summary.json", "summary.txt")

needs_bash = pytest.mark.skipif(sys.platform == "win32", reason="needs bash and timeout(1)")


def run(*arguments, cwd):
    """The script with this Python."""
    return subprocess.run(
        ["bash", str(RUN), *map(str, arguments)],  # noqa: S607 - wherever it is
        cwd=cwd,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def names(archive):
    """What an archive holds, which must be whole."""
    with tarfile.open(archive) as tar:
        return tar.getnames()


@pytest.mark.process
@needs_bash
def test_a_step_that_fails_or_hangs_is_kept_with_its_code_and_stops_no_other(tmp_path):
    """Also one that does not hear the signal that cuts it."""
    (tmp_path / "steps").write_text(STEPS)
    out = tmp_path / "new" / "out"
    wanted = ("hangs", "broken", "absent", "deaf", "fine")
    done = run("--device", "cpu", "--with", "steps", out, *wanted, cwd=tmp_path)
    steps = {s["step"]: s for s in json.loads((out / "summary.json").read_text())["steps"]}
    assert done.returncode == 1
    assert {name: s["state"] for name, s in steps.items()} == {
        "hangs": "cut",
        "broken": "failed",
        "absent": "skipped",
        "deaf": "cut",
        "fine": "ok",
    }
    assert list(steps) == list(wanted)
    assert [steps[name]["exit_code"] for name in ("hangs", "broken", "fine")] == [124, 3, 0]
    assert steps["broken"]["last_line"] == "it broke"
    assert steps["hangs"]["seconds"] >= 1
    assert sorted(file.name for file in out.iterdir()) == sorted(MADE)
    assert {f"logs/{name}.log" for name in wanted} <= set(names(out / "logs.tar.gz"))
    assert names(out / "results.tar.gz") == ["results/fine.csv"]


@pytest.mark.process
@needs_bash
def test_when_time_is_up_what_is_left_is_not_run_and_said_to_be_so(tmp_path):
    """The limit is for all steps together."""
    (tmp_path / "steps").write_text(STEPS)
    done = run("--limit", 1, "--with", "steps", tmp_path / "out", "hangs", "fine", cwd=tmp_path)
    states = [
        s["state"] for s in json.loads((tmp_path / "out" / "summary.json").read_text())["steps"]
    ]
    assert done.returncode == 1
    assert states[1] == "not run"


@pytest.mark.process
@needs_bash
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no OUT"),
        (("--device", "tpu", "out"), "--device is tpu"),
        (("--limit", "soon", "out"), "--limit is soon"),
        (("--limit",), "--limit needs a value"),
        (("--fast", "out"), "no option --fast"),
        (("--with", "nothing", "out"), "--with is nothing"),
        (("out", "floatt"), "no step floatt: choose from facts"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_run(tmp_path, arguments, said):
    """With the exit code of bad input."""
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out" / "summary.txt").exists()


@pytest.mark.process
@needs_bash
def test_every_step_has_a_limit_and_a_function_and_the_page_comes_last():
    """The page shows what the others have left."""
    listed = run("--list", cwd=None).stdout.splitlines()
    steps = [line.split()[0] for line in listed]
    by_default = [line.split()[0] for line in listed if "when named" not in line]
    assert set(re.findall(r"^step_(\w+)\(\)", RUN.read_text(), re.MULTILINE)) == set(steps)
    assert by_default[0] == "facts"
    assert by_default[-1] == "page"


def test_archives_are_whole_and_below_the_limit_with_the_largest_left_out_by_name(tmp_path):
    """Files that do not compress; a limit of our own."""
    folder, out = tmp_path / "results", tmp_path / "out"
    (folder / "run").mkdir(parents=True)
    out.mkdir()
    for name, size in (("run/large.bin", 3 * LIMIT), ("run/fits.bin", LIMIT // 4), ("b.csv", 10)):
        (folder / name).write_bytes(os.urandom(size))
    (left_out,) = kit.archive("results", folder, out, LIMIT)
    assert left_out.startswith("results/run/large.bin")
    assert names(out / "results.tar.gz") == ["results/b.csv", "results/run/fits.bin"]
    assert (out / "results.tar.gz").stat().st_size < LIMIT
    assert [file.name for file in out.iterdir()] == ["results.tar.gz"]


def test_a_folder_with_nothing_that_fits_is_no_archive(tmp_path):
    """Better none than a broken one."""
    folder = tmp_path / "pages"
    folder.mkdir()
    assert kit.archive("pages", folder, tmp_path, LIMIT) == []
    (folder / "large.bin").write_bytes(os.urandom(2 * LIMIT))
    assert len(kit.archive("pages", folder, tmp_path, LIMIT)) == 1
    assert not list(tmp_path.glob("*.gz"))


def test_what_is_needed_is_read_from_the_projects_own_declaration():
    """Run-time dependencies and what the tests import; markers of other Pythons left out."""
    names = {one.name for one in kit.requirements(kit.PROJECT.read_text())}
    assert {"torch", "transformers", "ruptures", "nvidia-ml-py", "hypothesis"} <= names
    assert "ruff" not in names
    assert ("tomli" in names) is (sys.version_info < (3, 11))
    assert kit.missing(kit.requirements(kit.PROJECT.read_text())) == []


@pytest.mark.parametrize(
    ("needs", "here", "lacks"),
    [("toy", None, True), ("toy>=2", "1.9", True), ("toy>=2", "2.11.0+cu130", False)],
)
def test_missing_is_what_is_not_there_or_too_old(needs, here, lacks):
    """A local part of a version does not matter."""
    one = Requirement(needs)
    assert kit.missing([one], lambda _: here) == ([one] if lacks else [])


def make_wheel(folder, version, tag="py3-none-any"):
    """A package of one module."""
    with zipfile.ZipFile(folder / f"a_toy-{version}-{tag}.whl", "w") as wheel:
        wheel.writestr("a_toy.py", f"VERSION = {version!r}")
        wheel.writestr(f"a_toy-{version}.dist-info/METADATA", f"Name: a-toy\nVersion: {version}\n")


def test_what_is_missing_is_unpacked_from_the_newest_wheel_that_fits(tmp_path):
    """Needs no pip, and touches nothing but the folder it is given."""
    for version in ("1.0", "1.2", "2.0"):
        make_wheel(tmp_path, version)
    make_wheel(tmp_path, "1.9", "cp27-none-win32")
    (tmp_path / "nonsense.whl").write_text("")
    target = tmp_path / "packages"
    told = kit.provide(tmp_path, target, [Requirement("A.Toy<2"), Requirement("another-toy>=1")])
    assert told[0] == "unpacked a_toy-1.2-py3-none-any.whl"
    assert told[1].startswith("missing: another-toy>=1")
    assert "1.2" in (target / "a_toy.py").read_text()
    assert kit.provide(tmp_path, target, [Requirement("pytest")]) == ["nothing is missing"]
