"""Nothing of a model's or a run's directory is executed, and no name leaves its directory."""

import json
import subprocess
import sys

import pytest
from fakes import bench, of, pair, run_environment, tiny_directory, write_run
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bench.cli import main as cli
from bench.core.architecture import Model, Weights
from bench.core.errors import UsageError
from bench.core.events import Ended, Measurements
from bench.core.measures.forward import FORWARD
from bench.core.measures.static import STATIC
from bench.core.suite import Grid, Suite
from bench.plan import registry
from bench.plan.jobs import Job, Source
from bench.results import store as records
from bench.results.validate import file_name, is_file_name
from bench.runner.process import ProcessLauncher

TRAP = "import pathlib\npathlib.Path({!r}).touch()\n"


def set_traps(directory, sprung):
    """Files that would be run by whoever imports or unpickles from this directory."""
    for name in ("torch", "json", "transformers", "bench", "suites", "sitecustomize", "conftest"):
        (directory / f"{name}.py").write_text(TRAP.format(str(sprung)))
    (directory / "modeling_trap.py").write_text(TRAP.format(str(sprung)))
    (directory / "pytorch_model.bin").write_bytes(f"cos\nsystem\n(S'touch {sprung}'\ntR.".encode())
    path = directory / "config.json"
    config = json.loads(path.read_text()) if path.exists() else {}
    config["auto_map"] = {"AutoModel": "modeling_trap.Trap", "AutoConfig": "modeling_trap.Trap"}
    path.write_text(json.dumps(config))


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
@pytest.mark.parametrize("weights", [Weights.RANDOM, Weights.PRETRAINED])
def test_nothing_in_a_model_directory_is_executed(tmp_path, monkeypatch, weights):
    """A worker that reads a model from a directory, started in it, imports nothing of it."""
    sprung = tmp_path / "sprung"
    directory = tiny_directory(tmp_path, "bert", weights=weights is Weights.PRETRAINED)
    set_traps(directory, sprung)
    monkeypatch.chdir(directory)
    (one, _) = pair(measure=STATIC)
    model = Model("bert", str(directory), registry.read_architecture(directory))
    job = Job(
        measure=STATIC,
        process=1,
        cases=(one,),
        models=(model,),
        sources={"bert": Source(str(directory), weights)},
        threads=1,
        seed=0,
        budgets_s={},
        precision=0.0,
    )
    events = list(ProcessLauncher().run(job, 240.0))
    assert events[-1] == Ended()
    assert [e.case for e in of(Measurements, events)] == [one.id]
    assert not sprung.exists()


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
def test_nothing_in_a_run_directory_is_executed(tmp_path):
    """A page is made of a run that holds Python files; none of them is imported."""
    sprung = tmp_path / "sprung"
    cases = pair()
    write_run(tmp_path / "run", cases, {c.id: [[0.1, 0.2]] * 2 for c in cases})
    set_traps(tmp_path / "run", sprung)
    done = bench("report", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not sprung.exists()


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
def test_the_traps_would_spring(tmp_path):
    """Each of them does where somebody is careless: the tests above are no empty ones."""
    for code in (
        "import transformers",
        "import pickle; pickle.load(open('pytorch_model.bin', 'rb'))",
    ):
        sprung = tmp_path / "sprung"
        set_traps(tmp_path, sprung)
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
        assert sprung.exists()
        sprung.unlink()


@given(st.text())
@example("..")
@example(".")
@example("")
@example("../../x")
@example("C:\\x")
@example("a/b")
@example("\x00")
def test_a_run_id_never_leaves_its_directory(tmp_path_factory, name):
    """Whatever a directory is called, what is made of its name is one plain file name."""
    made = file_name(name)
    assert is_file_name(made)
    assert file_name(made) == made
    root = tmp_path_factory.getbasetemp()
    assert (root / made).resolve().parent == root.resolve()


@pytest.mark.parametrize("name", ["..", "../x", "/etc", "a\\b", "x\n", "", 7, None])
def test_a_run_that_claims_another_place_is_refused(tmp_path, name):
    """An id in environment.json that would lead a reader elsewhere is not followed."""
    writer = records.open_run(tmp_path / "run")
    writer.write_environment(run_environment(pair(), name))
    writer.close()
    with pytest.raises(UsageError, match="cannot name a directory"):
        records.read_run(tmp_path / "run")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "a/../../b", "/etc/passwd", "a//b", "-x"]
)
def test_a_model_id_is_no_path_out(name):
    """What is neither registered nor a directory nor an id of the hub is refused."""
    with pytest.raises(UsageError, match="no model"):
        registry.pick_models([name])


@given(
    name=st.text(),
    sizes=st.lists(st.integers() | st.text() | st.none() | st.floats(), max_size=4).map(tuple),
)
def test_a_suite_is_sound_or_refused_in_one_line(name, sizes):
    """Whatever a user writes into a suite's file, it makes usable case ids or a clear line."""
    try:
        suite = Suite(name, "title", FORWARD, {"quick": Grid(sizes, sizes)})
    except UsageError as refused:
        assert "\n" not in str(refused)  # noqa: PT017 - sound ones raise nothing
        return
    assert "/" not in suite.name
    assert all(w.batch_size >= 1 and w.seq_len >= 0 for w in suite.grid("other").workloads())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("SUITE = {", "SyntaxError"),
        ("import nothing_like_it", "ModuleNotFoundError"),
        ("SUITE = 7", "SUITE is a int, not a Suite"),
        (
            "from suites.latency import *\nSUITE = Suite('a/b', '', FORWARD, {})",
            "suite name",
        ),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
    ],
)
def test_a_suite_file_that_does_not_work_is_named_in_one_line(tmp_path, monkeypatch, code, words):
    """The line says which file and what is wrong in it."""
    import suites

    (tmp_path / "own.py").write_text(code)
    monkeypatch.setattr(suites, "__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "suites.own", raising=False)
    with pytest.raises(UsageError, match=r"suites/own\.py") as refused:
        registry.all_suites()
    monkeypatch.delitem(sys.modules, "suites.own", raising=False)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


PLANNED = (
    "--profile",
    "--model",
    "--device",
    "--dtype",
    "--batch-size",
    "--seq-len",
    "--threads",
    "--repeats",
    "--precision",
    "--budget",
)
MEASURED = (*PLANNED, "--weights", "--revision", "--text", "--seed", "--timeout")
GATED = (
    "--against",
    "--threshold",
    "--model",
    "--batch-size",
    "--seq-len",
    "--device",
    "--dtype",
    "--threads",
    "--clock",
    "--max-time",
    "--timeout",
    "--seed",
    "--format",
)
VALUES = st.one_of(
    st.integers(-3, 3).map(str),
    st.integers().map(str),
    st.floats().map(str),
    st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=12),
    st.sampled_from(
        ["quick", "full", "float32", "albert-base-v2", "latency", "1e400", "nan", "--"]
    ),
)


def arguments(options):
    """Some of these options with any values, among arguments of any kind."""
    words = st.tuples(st.sampled_from(options), VALUES).map(list) | VALUES.map(lambda v: [v])
    return st.lists(words).map(lambda parts: [word for part in parts for word in part])


def ends(*words):
    """Exit code and what stands in stderr of `bench` with these arguments."""
    from contextlib import redirect_stderr, redirect_stdout
    from io import StringIO
    from unittest.mock import patch

    said = StringIO()
    with (
        patch.object(sys, "argv", ["bench", *words]),
        redirect_stdout(StringIO()),
        redirect_stderr(said),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
    return ended.value.code or 0, said.getvalue()


@given(arguments(PLANNED))
def test_any_options_are_a_plan_or_one_line(words):
    """`bench list` with anything at all ends with 0, or with 2 and one line; never a traceback."""
    code, said = ends("list", *words)
    assert (code, said.count("\n")) in ((0, 0), (2, 1))


@given(arguments(MEASURED))
def test_any_options_of_a_run_are_taken_or_refused_in_one_line(words):
    """Whatever is asked of `bench run`, an output that is a file is where it ends at the latest."""
    assume("--help" not in words and "--" not in words)
    code, said = ends("run", *words, "--output", __file__)
    assert (code, said.count("\n")) == (2, 1)


@given(arguments(GATED))
def test_any_options_of_a_check_are_taken_or_refused_in_one_line(words):
    """Whatever is asked of `bench check`, a baseline that is not there is where it ends."""
    assume("--help" not in words and "--" not in words)
    code, said = ends("check", *words, "--baseline", "no-such-baseline")
    assert (code, said.count("\n")) == (2, 1)


@given(VALUES, VALUES, arguments(("--threshold", "--format")))
def test_any_two_names_are_compared_or_refused_in_one_line(baseline, candidate, words):
    """Names of runs that there are not, with any options."""
    assume("--help" not in (baseline, candidate, *words))
    code, said = ends("compare", baseline, candidate, *words)
    assert (code, said.count("\n")) == (2, 1)


@pytest.mark.parametrize("option", ["--max-time", "--timeout"])
@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1"])
def test_a_check_has_to_end_some_time(option, value):
    """A limit that is no number of seconds is refused, with its value."""
    code, said = ends("check", "--against", "main", option, value)
    assert code == 2
    assert f"{option} is {value}" in said
