"""The installed package: what a wheel carries works from any directory, without the checkout."""

import shutil
import zipfile
from pathlib import Path

import pytest
from fakes import python

ROOT = Path(__file__).parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "bench", "suites")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A directory with what the wheel would put into site-packages."""
    place = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source, copy = ROOT / name, place / "tree" / name
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, copy)
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", place, place / "tree")
    done = python(*build, cwd=place)
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(place / "site")
    return place / "site"


@pytest.mark.extended
@pytest.mark.process
def test_an_installed_wheel_measures_and_makes_a_page_from_any_directory(
    installed, tiny_models, tmp_path
):
    """Suites, templates, style and script are all in it; workers import it as well."""

    def run(*words):
        return python(*words, cwd=tmp_path, PYTHONPATH=str(installed))

    where = run("-c", "import bench, suites; print(bench.__file__, suites.__file__)").stdout.split()
    assert all(path.startswith(str(installed)) for path in where)
    one = ("--model", tiny_models["bert"], "--weights", "random", "--seq-len", "8")
    done = run("-m", "bench", "run", "parameters", *one, "--output", "out")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "reports" / "out" / "index.html").read_text(encoding="utf-8")
    assert "<style>" in page
    assert "<script>" in page


def test_what_is_no_python_is_declared_to_be_in_the_wheel():
    """Every other file of the packages matches a pattern of `package-data`."""
    tomllib = pytest.importorskip("tomllib")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    patterns = tomllib.loads(text)["tool"]["setuptools"]["package-data"]
    declared = {
        path
        for package, names in patterns.items()
        for name in names
        for path in (ROOT / package.replace(".", "/")).glob(name)
    }
    there = {
        path
        for package in ("bench", "suites")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert there == declared
