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


SMAPS = """7f00-7f10 r--p 00000000 00:01 5 /lib/libtorch.so
Size: 900 kB
Rss: 400 kB
Anonymous: 0 kB
7f20-7f30 rw-p 00000000 00:01 6 /models/a-b/model.safetensors
Rss: 100 kB
Anonymous: 25 kB
VmFlags: rd wr mr
"""


def test_pages_of_libraries_are_not_the_processs_own(proc):
    """Mapped files count apart, since a fork has mapped fewer of them; a checkpoint is weights."""
    (proc / "status").write_text("RssAnon:\t7 kB\nRssFile:\t      500 kB\n")
    (proc / "smaps").write_text(SMAPS)
    assert memory.resident().libraries == 500 * 1024
    assert memory.resident("/models/a-b").libraries == (500 - 75) * 1024
    assert memory.resident("/models/a").libraries == 500 * 1024


@pytest.mark.usefixtures("proc")
def test_where_mapped_files_are_not_told_all_is_the_processs_own():
    """Another system than Linux, or a container that hides it."""
    assert memory.resident().libraries == 0
    assert memory.resident().own > 10 * 2**20
