"""What happens to disks: full at any write, and read-only."""

import pytest
import scripted_run
from fakes import bench, case, case_row, run_environment, tiny_directory
from machine import mount, needs_root, small_disk

from bench.core.errors import OutputError, UsageError
from bench.results import store as records

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("share_workers")]

PAGE = 4096


def how_it_ends(directory):
    """The line that a user sees of a run into this directory."""
    try:
        scripted_run.go(directory)
    except (OutputError, UsageError) as error:
        return str(error)
    return "complete"


@needs_root
def test_a_disk_full_at_any_write_loses_nothing(tmp_path):
    """Whatever the room, a run ends with one line or well; with more room, resume completes it."""
    ended = set()
    for pages in range(1, 40, 2):
        with small_disk(tmp_path / f"disk{pages}", pages * PAGE) as disk:
            ended.add(ending := how_it_ends(disk / "run"))
            assert ending == "complete" or "No space left on device" in ending
            assert "\n" not in ending
            if (disk / "run" / records.ENVIRONMENT).exists():
                found = records.read_run(disk / "run")  # half of nothing is there
                assert found.damage == ()
                assert scripted_run.wrong(found) == []
            mount("-o", f"remount,size={400 * PAGE}", disk)
            scripted_run.go(disk / "run")
            found = records.read_run(disk / "run")
            assert scripted_run.incomplete(found) == []
            assert scripted_run.wrong(found) == []
    assert "complete" in ended
    assert any("bench run --resume" in ending for ending in ended)


@needs_root
def test_a_write_that_fails_is_taken_back(tmp_path):
    """Of rows that do not fit nothing stays, so that the next ones follow whole rows."""
    with small_disk(tmp_path / "disk", 8 * PAGE) as disk:
        writer = records.open_run(disk / "run")
        writer.write_environment(run_environment([case()]))
        writer.append("cases", [case_row(case())])
        before = (disk / "run" / "cases.csv").read_bytes()
        with pytest.raises(OutputError, match="No space left"):
            writer.append("cases", [case_row(case(), reason="x" * 10 * PAGE)])
        assert (disk / "run" / "cases.csv").read_bytes() == before
        writer.close()


RUN = ("run", "parameters", "--model", "./bert", "--weights", "random", "--seq-len", "8")


@needs_root
@pytest.mark.parametrize(
    ("filled", "words"),
    [
        (
            0,
            "What was finished before is kept; once that is fixed, continue with: bench run",
        ),
        (PAGE, "Nothing was measured yet: once that is fixed, start the run again"),
    ],
    ids=["at a table", "at environment.json"],
)
def test_a_full_disk_is_one_line_and_an_exit_code(tmp_path, filled, words):
    """`bench run` says what failed, what is kept, and the way to go on that there is."""
    tiny_directory(tmp_path, "bert")
    with small_disk(tmp_path / "disk", PAGE) as disk:
        (disk / "other").write_bytes(b"x" * filled)
        done = bench(*RUN, "--output", disk / "run", cwd=tmp_path)
        left = {path.name for path in (disk / "run").iterdir()}
    assert done.returncode == 4
    (line,) = [text for text in done.stderr.splitlines() if text]
    assert line.startswith(f"bench: cannot write to {disk / 'run'}: No space left on device. ")
    assert words in line
    assert (records.ENVIRONMENT in left) == (not filled)
    assert not [name for name in left if name.endswith(".tmp")]


@needs_root
def test_a_disk_full_at_the_page_costs_the_page_only(tmp_path):
    """The results are whole, the note says how to make the page later, and that works."""
    tiny_directory(tmp_path, "bert")
    with small_disk(tmp_path / "reports", PAGE):
        done = bench(*RUN, "--output", "run", cwd=tmp_path)
        assert not list((tmp_path / "reports").rglob("*.html"))
    assert done.returncode == 0
    assert "No space left on device; make it later with: bench report run" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert records.read_run(tmp_path / "run").environment["run"]["state"] == "complete"
    assert bench("report", "run", cwd=tmp_path).returncode == 0
    assert (tmp_path / "reports" / "run" / "index.html").exists()


@needs_root
def test_a_read_only_output_is_one_line(tmp_path):
    """It is said before anything is measured."""
    with small_disk(tmp_path / "disk", 16 * PAGE, mode="ro") as disk:
        done = bench("run", "parameters", "--output", disk / "run", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"bench: cannot write to {disk / 'run'}: Read-only file system\n"
