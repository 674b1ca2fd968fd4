import pytest
from fakes import case, pair, run_environment, sample_rows

from bench.core.errors import UsageError
from bench.results import store as records


@pytest.fixture
def writer(tmp_path):
    """A run directory that holds its environment, open for writing."""
    writer = records.open_run(tmp_path / "run")
    writer.write_environment(run_environment(pair()))
    yield writer
    writer.close()


def damaged(writer, table, change):
    """Change the bytes of a table."""
    path = writer.directory / f"{table}.csv"
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.replace(b"wall_s", b"wall", 1), "no column 'wall_s'"),
        (lambda d: d.replace(b",", b";"), "no column 'case'"),
        (lambda d: d.replace(b"0.25,", b"0.2x5,"), "0.2x5"),
        (lambda d: d.replace(b",sample,1,", b",sample,one,"), "one"),
        (lambda d: d.replace(b"0.25,0.5,\n", b"0.25,\n"), "line 3"),
        (lambda d: d.replace(b"0.25,0.5,\n", b"0.25,0.5,,7\n"), "line 3"),
        (lambda d: d + b"\xff\xfe\n", "utf-8"),
    ],
    ids=["column", "semicolons", "number", "count", "short", "long", "encoding"],
)
def test_a_foreign_table_is_refused_by_name(writer, change, words):
    """The message names the file and what is wrong in it."""
    writer.append_batch("samples", case().id, 1, sample_rows([0.25, 0.5]))
    damaged(writer, "samples", change)
    with pytest.raises(UsageError, match=r"samples\.csv") as refused:
        records.read_run(writer.directory)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": 2, "run": {}}', "format 2"),
        ("[1]", "environment"),
        ("{", "environment"),
        ("[" * 100_000, "environment"),
        ('{"run": {}}', "environment"),
        ('{"format": 1}', "run"),
        ('{"format": 1, "run": {"id": "x", "models": []}}', "plan"),
    ],
)
def test_a_foreign_environment_is_refused(writer, text, words):
    """A directory of another version or another tool is refused, not guessed at."""
    (writer.directory / "environment.json").write_text(text)
    with pytest.raises(UsageError, match=r"environment\.json") as refused:
        records.read_run(writer.directory)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"started": None}, "'started' in 'run' is no text"),
        ({"state": 7}, "'state' in 'run' is no text"),
        ({"options": None}, "'options' in 'run'"),
        ({"options": ["threads"]}, "'options' in 'run'"),
        ({"options": {"sampling": 3}}, "'options' in 'run'"),
        ({"time_spent": {"total_s": "long"}}, "'time_spent' is no table of seconds"),
        ({"time_spent": [1.0]}, "'time_spent' is no table of seconds"),
    ],
)
def test_an_environment_that_a_hand_has_changed_is_refused_where_it_is_used(writer, change, words):
    """Whoever reads runs can rely on what is in them."""
    environment = run_environment(pair())
    place = environment if "time_spent" in change else environment["run"]
    place |= change
    writer.write_environment(environment)
    with pytest.raises(
        UsageError, match=rf"environment\.json was not written by this tool: {words}"
    ):
        records.read_run(writer.directory)


@pytest.mark.parametrize("name", ["started", "state"])
def test_an_environment_without_what_every_run_has_is_refused(writer, name):
    """The line says what is missing."""
    environment = run_environment(pair())
    del environment["run"][name]
    writer.write_environment(environment)
    with pytest.raises(UsageError, match=f"no '{name}' in 'run'"):
        records.read_run(writer.directory)


def test_a_forward_that_took_no_time_is_refused(writer):
    """No ratio could be made of it."""
    writer.append_batch("samples", case().id, 1, sample_rows([0.0]))
    with pytest.raises(UsageError, match=r"samples\.csv has a wall_s of 0"):
        records.read_run(writer.directory)
