import pytest

from bench.worker.measures import memory


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """What the kernel shows of this process, as a directory of the test's own."""
    monkeypatch.setattr(memory, "PROC", tmp_path)
    return tmp_path


def test_peak_memory_is_the_kernels_high_water_mark(proc):
    """In bytes; a reset is one number written to a file."""
    (proc / "status").write_text("VmPeak:\t9 kB\nVmHWM:\t      2048 kB\nVmRSS:\t7 kB\n")
    (proc / "clear_refs").write_text("")
    memory.reset_peak_rss()
    assert memory.peak_rss() == 2048 * 1024
    assert (proc / "clear_refs").read_text() == "5"


@pytest.mark.parametrize("hidden", ["no mark", "no file", "unreadable"])
def test_a_container_that_hides_the_mark_has_that_of_the_whole_process(proc, hidden):
    """It is what getrusage(2) tells, and no end of the run."""
    if hidden == "no mark":
        (proc / "status").write_text("VmRSS:\t7 kB\n")
    elif hidden == "unreadable":
        (proc / "status").mkdir()
    assert memory.peak_rss() > 10 * 2**20


def test_a_mark_that_cannot_be_reset_goes_on(proc):
    """The system refuses to take the number."""
    (proc / "clear_refs").mkdir()
    memory.reset_peak_rss()
