import csv
import subprocess
import sys
from datetime import datetime, timezone

import pytest
from fakes import case, case_row, pair, run_environment, sample_rows, write_run
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.core.case import Status
from bench.core.errors import UsageError
from bench.results import store as records

SECONDS = st.integers(0, 10**15).map(lambda ns: ns / 1e9)
"""Durations a clock of whole nanoseconds can give, up to eleven days."""


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


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "phase": st.sampled_from(["warmup", "switch", "sample"]),
                "round": st.integers(0, 10**6),
                "at_s": SECONDS,
                "wall_s": SECONDS.filter(bool),
                "cpu_s": SECONDS,
                "host_s": st.one_of(st.none(), SECONDS),
            }
        ),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=30)
def test_samples_are_read_back_as_they_were_written(tmp_path_factory, rows):
    """Every number of every sample survives the file, to the nanosecond."""
    writer = records.open_run(tmp_path_factory.mktemp("run") / "x")
    writer.write_environment(run_environment([case()]))
    writer.append_batch("samples", case().id, 3, rows)
    writer.close()
    run = records.read_run(writer.directory)
    names = ["phase", "round", "at_s", "wall_s", "cpu_s", "host_s"]
    kept = run.samples[names].astype(object)
    assert kept.where(kept.notna(), None).to_dict("records") == rows
    assert set(run.samples["process"]) == {3}
    assert run.damage == ()


@given(
    reason=st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" ,;\"'#|\\")),
    size=st.one_of(st.none(), st.integers(0, 10**12)),
)
@settings(max_examples=60)
def test_words_are_read_back_as_they_were_written(tmp_path_factory, reason, size):
    """Quotes, commas and any script's letters in a reason survive the file."""
    row = {**case_row(case(), Status.FAILED, reason), "checkpoint_bytes": size}
    writer = records.open_run(tmp_path_factory.mktemp("run") / "x")
    writer.write_environment(run_environment([case()]))
    writer.append("cases", [row])
    writer.close()
    found = records.read_run(writer.directory).cases.iloc[0]
    assert found["reason"] == reason
    assert found["checkpoint_bytes"] == size or (size is None and found.isna()["checkpoint_bytes"])
    assert found["case"] == case().id


@pytest.mark.parametrize("bad", ["two\nlines", "a\rbar", "tab\tand\x00nul\x1b[0m"])
def test_a_row_stays_on_its_line(writer, bad):
    """Line breaks and control characters in a reason become blanks: one row is one line."""
    writer.append("cases", [case_row(case(), Status.FAILED, bad)])
    text = (writer.directory / "cases.csv").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 2
    assert all(c.isprintable() or c == "\n" for c in text)
    assert records.read_run(writer.directory).cases["reason"][0].split()[0] == bad.split()[0]


def test_a_header_is_written_once(writer):
    """Appending to a file that is there adds rows only."""
    for repeat in (1, 2):
        writer.append_batch("samples", case().id, repeat, sample_rows([0.1]))
    lines = (writer.directory / "samples.csv").read_text().splitlines()
    assert sum(line.startswith("case,") for line in lines) == 1
    assert len(lines) == 5


def test_a_rewritten_table_is_read_back_the_same(writer):
    """What `--resume` writes again is what it read."""
    writer.append_batch("samples", case().id, 1, sample_rows([0.1, 1e-9, 123456.789012345]))
    writer.append("cases", [case_row(case())])
    before = records.read_run(writer.directory)
    for table in records.RAW:
        writer.write_table(table, getattr(before, table))
    after = records.read_run(writer.directory)
    for table in records.RAW:
        assert getattr(after, table).equals(getattr(before, table))


def test_a_run_without_rows_has_empty_tables(writer):
    """A run that was interrupted at once can be read."""
    run = records.read_run(writer.directory)
    assert len(run.cases) == len(run.samples) == len(run.measurements) == 0
    assert run.id == "a-run"


def test_a_file_without_a_byte_has_no_rows(writer):
    """A file that was made and never written to, by a process killed in between, is no obstacle."""
    (writer.directory / "cases.csv").touch()
    assert records.read_run(writer.directory).cases.empty


def test_a_torn_last_line_is_left_out_and_told(writer):
    """A number cut in half is never read as a whole one."""
    writer.append("cases", [case_row(case()), case_row(case("albert"))])
    damaged(writer, "cases", lambda data: data[:-5])
    run = records.read_run(writer.directory)
    assert list(run.cases["model"]) == ["bert"]
    assert run.damage == ("cases.csv: its last line was cut short and is left out",)


def test_a_torn_batch_is_left_out_whole(writer):
    """Samples of a repeat of which some are missing would bias its median."""
    writer.append_batch("samples", case().id, 1, sample_rows([0.1, 0.2]))
    writer.append_batch("samples", case().id, 2, sample_rows([0.1, 0.2]))
    damaged(writer, "samples", lambda data: data[: data.rstrip(b"\n").rfind(b"\n") + 1])
    run = records.read_run(writer.directory)
    assert set(run.samples["process"]) == {1}
    assert run.damage == (f"samples.csv: process 2 of {case().id} is incomplete and is left out",)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.replace(b",1,1,3,", b",1,7,3,"),
        lambda d: d.replace(b",1,0,3,", b",1,-1,3,"),
        lambda d: d.replace(b",1,2,3,", b",1,2,4,"),
        lambda d: d.replace(b",1,2,3,", b",1,1,3,"),
    ],
    ids=["beyond", "below", "lengths", "twice"],
)
def test_a_batch_that_contradicts_itself_is_left_out_whole(writer, change):
    """Rows of which it cannot be said that they are all there, once, are not read in part."""
    writer.append_batch("samples", case().id, 1, sample_rows([0.1, 0.2]))
    damaged(writer, "samples", change)
    run = records.read_run(writer.directory)
    assert run.samples.empty
    assert run.damage == (f"samples.csv: process 1 of {case().id} is incomplete and is left out",)


def test_a_batch_that_is_there_twice_is_left_out(writer):
    """Rows counted twice would narrow an interval for nothing."""
    for _ in range(2):
        writer.append_batch("samples", case().id, 1, sample_rows([0.1, 0.2]))
    assert records.read_run(writer.directory).samples.empty


def test_what_is_no_run_is_refused(tmp_path):
    """A missing directory, a file and a directory without a run are each told apart."""
    (tmp_path / "file").touch()
    for place in ("nowhere", "file"):
        with pytest.raises(UsageError, match=f"no run at .*{place}"):
            records.read_run(tmp_path / place)
    with pytest.raises(UsageError, match=r"it has no environment\.json"):
        records.read_run(tmp_path)


def test_a_directory_that_is_being_written_is_refused(writer):
    """Two writers in one directory would mix two runs, also with --resume."""
    for resume in (False, True):
        with pytest.raises(UsageError, match="in use by another bench process"):
            records.open_run(writer.directory, resume=resume)


@pytest.mark.process
def test_a_directory_held_by_another_process_is_refused(tmp_path):
    """The lock holds between processes, and falls when its holder dies."""
    code = (
        "import sys; from pathlib import Path; from bench.results import store\n"
        "held = store.open_run(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    run = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="in use"):
            records.open_run(run, resume=True)
        other.kill()
    records.open_run(run, resume=True).close()


def test_a_directory_that_holds_something_is_refused(tmp_path):
    """A new run never mixes with what is there, and the message shows the ways out."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"not empty.*--output.*--resume"):
        records.open_run(tmp_path)


def test_the_resume_hint_can_be_typed_as_it_stands(tmp_path):
    """A directory of two words is one argument."""
    writer = records.open_run(tmp_path / "two words")
    writer.write_environment(run_environment(pair()))
    writer.close()
    assert writer.resume_hint().endswith(f"continue with: bench run --resume '{writer.directory}'")
    with pytest.raises(UsageError, match=r"finish an interrupted run with --resume '.*two words'"):
        records.open_run(writer.directory)


def test_nothing_is_touched_in_a_directory_of_somebody_else(tmp_path):
    """A refused directory keeps all that it held, hidden files too, and not even gains a lock."""
    held = {"thesis.tex", ".notes.tmp", ".cases.csv.tmp", ".x.123.tmp"}
    for name in held:
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="not empty"):
        records.open_run(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == held


def test_what_a_killed_process_was_writing_is_no_obstacle(tmp_path):
    """The temporary file of a replacement that never came is removed, in a new run and an old."""
    run = tmp_path / "run"
    run.mkdir()
    for resume in (False, True):
        (run / ".environment.json.123.tmp").write_text("{")
        records.open_run(run, resume=resume).close()
        assert {p.name for p in run.iterdir()} == {".lock"}


def test_a_directory_that_was_opened_and_left_empty_can_be_used(tmp_path):
    """A run that ended before it began (a typo in an option) leaves no obstacle."""
    records.open_run(tmp_path / "run").close()
    records.open_run(tmp_path / "run").close()


def test_a_file_is_no_run_directory(tmp_path):
    """A file in the way is one clear line, at the place itself or above it."""
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="file"):
            records.open_run(place)


def test_every_table_is_plain_csv(tmp_path):
    """Python's own reader finds the header and the rows that the contract promises."""
    run = write_run(tmp_path / "run", pair(), {c.id: [[0.1]] for c in pair()})
    with (run.directory / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(records.CASES)
    assert [row["model"] for row in rows] == ["bert", "albert"]


def test_directories_are_named_after_the_time(tmp_path):
    """Runs sort by time, and two of one second do not meet."""
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    names = {records.new_directory(tmp_path, now).name for _ in range(20)}
    assert len(names) == 20
    assert {name[:16] for name in names} == {"20260102-030405-"}
