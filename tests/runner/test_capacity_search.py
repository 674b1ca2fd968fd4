from contextlib import suppress
from types import SimpleNamespace

import pytest
from fakes import found, job, of, pair, statuses, values
from hypothesis import given
from hypothesis import strategies as st

from bench.core.case import Status
from bench.core.errors import UsageError
from bench.core.events import Begin, Ended, Failed, Finished, Measurement, Measurements, Ready
from bench.core.measures.capacity import CAPACITY
from bench.plan.grid import make_cases
from bench.plan.options import Options, parse_bytes
from bench.plan.registry import pick_models, pick_suites
from bench.runner.capacity_search import MOST, TryError, largest
from bench.runner.process import ProcessLauncher
from bench.runner.resume import carry_over
from bench.stats.ratios import ratios
from bench.worker.measures.capacity import bound_cuda

PATIENCE_S = 120.0
EXHAUSTED = "RuntimeError: DefaultCPUAllocator: can't allocate memory"


@given(st.integers(0, 3 * MOST))
def test_the_largest_batch_is_found_by_doubling_and_bisection(true):
    """Whatever fits, in at most two tries per binary digit; no batch is tried twice."""
    tried = []

    def fits(batch):
        tried.append(batch)
        return batch <= true

    assert largest(fits) == min(true, MOST)
    assert len(tried) == len(set(tried)) <= 2 * max(true, 1).bit_length() + 1
    assert max(tried) <= MOST


def script(fitting, status=Status.OUT_OF_MEMORY, reason=EXHAUSTED, signal="SIGKILL"):
    """A worker whose batches fit up to those of `fitting`, by model; others end so."""

    def run(work):
        (one,) = work.cases
        yield Ready()
        yield Begin((one.id,))
        if one.workload.batch_size > fitting[one.model]:
            if status is Status.KILLED:
                yield Ended(status, reason, signal)
                return
            yield Failed(one.id, status, reason)
        else:
            peak = 1e6 * one.workload.batch_size
            yield Measurements(one.id, (Measurement("capacity_peak_bytes", "B", peak),))
        yield Finished({"load_s": 0.5})
        yield Ended()

    return run


@pytest.mark.parametrize("status", [Status.OUT_OF_MEMORY, Status.KILLED])
def test_a_run_finds_it_for_every_case(make, status):
    """Running out of memory is an answer, whoever tells it; the ratio is in the tables."""
    runner = make(pair(measure=CAPACITY), script({"bert": 5, "albert": 12}, status))
    runner.measure()
    assert set(statuses(runner).values()) == {"ok"}
    rows = found(runner).measurements
    values = {
        (case.split("/")[1], metric): value
        for case, metric, value in rows[["case", "metric", "value"]].to_numpy()
    }
    assert values["bert", "largest_batch"] == 5
    assert values["albert", "largest_batch"] == 12
    assert values["albert", "capacity_peak_bytes"] == 12e6
    compared = ratios(found(runner))
    (ratio,) = compared.loc[compared["metric"] == "largest_batch", "ratio"]
    assert ratio == 12 / 5


def test_each_batch_is_tried_in_a_process_of_its_own(make):
    """So what an earlier one left in memory does not count."""
    runner = make(pair(measure=CAPACITY)[:1], script({"bert": 5}), memory_limit=10**9)
    runner.measure()
    tried = [work.cases[0].workload.batch_size for work in runner.launcher.jobs]
    assert tried == [1, 2, 4, 8, 6, 5]
    assert {work.memory_limit for work in runner.launcher.jobs} == {10**9}


def test_a_model_of_which_not_even_one_sequence_fits_is_a_row_with_that_reason(make):
    """It is skipped, no failure of the run; the other model goes on."""
    runner = make(pair(measure=CAPACITY), script({"bert": 0, "albert": 3}))
    runner.measure()
    assert list(statuses(runner).values()) == ["skipped", "ok"]
    assert found(runner).cases["reason"][0] == f"not even a batch of 1 fits: {EXHAUSTED}"


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMED_OUT])
def test_a_batch_that_could_not_be_tried_fails_the_case(make, status):
    """It says nothing of memory; the batch stands in the reason, with the one that fitted."""
    runner = make(pair(measure=CAPACITY)[:1], script({"bert": 2}, status, "a broken thing"))
    runner.measure()
    assert list(statuses(runner).values()) == [status.value]
    assert found(runner).cases["reason"][0] == ("batch 4: a broken thing (a batch of 2 fits)")
    assert found(runner).measurements.empty


@pytest.mark.parametrize(
    ("signal", "end"), [("SIGABRT", "ok"), ("SIGSEGV", "killed"), ("SIGILL", "killed")]
)
def test_only_signals_that_mean_memory_are_an_answer(make, signal, end):
    """A crash is no sign of a batch that is too large."""
    one = script({"bert": 2}, Status.KILLED, "the worker was ended", signal)
    runner = make(pair(measure=CAPACITY)[:1], one)
    runner.measure()
    assert list(statuses(runner).values()) == [end]


def test_a_limit_that_holds_any_batch_gives_no_number(make):
    """The largest that was tried is not the largest that fits."""
    runner = make(pair(measure=CAPACITY)[:1], script({"bert": 10 * MOST}))
    runner.measure()
    assert list(statuses(runner).values()) == ["failed"]
    assert f"even a batch of {MOST:,} fits" in found(runner).cases["reason"][0]
    assert found(runner).measurements.empty


def test_a_search_that_has_ended_is_not_made_again_by_resume(make):
    """Killed between the measurements and the row of its case: they are there once."""
    cases = pair(measure=CAPACITY)[:1]
    first = make(cases, script({"bert": 5}))
    first.measure()
    path = first.writer.directory / "cases.csv"
    header, _ = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(header, encoding="utf-8")
    again = make(cases, script({"bert": 5}))
    again.done, again.processes = carry_over(found(first), again.writer)
    again.measure()
    assert again.launcher.jobs == []
    assert statuses(again) == {cases[0].id: "ok"}
    assert list(found(again).measurements["metric"]).count("largest_batch") == 1


def test_a_worker_that_ends_without_a_word_fails_the_case(make):
    """Nothing was measured, so nothing fits and nothing does not."""

    def silent(work):
        del work
        yield Ended()

    runner = make(pair(measure=CAPACITY)[:1], silent)
    runner.measure()
    assert found(runner).cases["reason"][0] == "batch 1: the worker ended without measuring it"
    assert issubclass(TryError, Exception)


@pytest.mark.process
def test_a_real_worker_keeps_to_the_limit():
    """A small batch fits into half a gigabyte beyond the libraries; a huge one is refused.

    With many threads, whose stacks are no part of it.
    """
    small, huge = (
        job(
            pair(measure=CAPACITY, batch_size=size, seq_len=64)[:1],
            memory_limit=2 * 10**9,
            threads=64,
        )
        for size in (1, 200_000)
    )
    measured = values(ProcessLauncher().run(small, PATIENCE_S))
    assert 50e6 < measured["capacity_peak_bytes"] < 2e9
    assert measured["memory_limit_bytes"] == 2e9
    events = list(ProcessLauncher().run(huge, PATIENCE_S))
    assert [e.status for e in of(Failed, events)] == [Status.OUT_OF_MEMORY]
    assert events[-1] == Ended()


@pytest.mark.process
@pytest.mark.parametrize("threads", [2, 64])
def test_a_process_larger_than_the_limit_does_not_fit(threads):
    """The libraries count as well, as a container would have it; the stacks of threads do not."""
    tight = job(pair(measure=CAPACITY)[:1], memory_limit=100 * 10**6, threads=threads)
    (failed,) = of(Failed, ProcessLauncher().run(tight, PATIENCE_S))
    assert failed.status is Status.OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2 * 10**9),
        ("1.5 GiB", 3 * 2**29),
        ("800000000", 800_000_000),
        ("512 MiB", 2**29),
        ("3kB", 3000),
        ("", None),
    ],
)
def test_a_size_is_read_as_people_write_it(text, size):
    """Decimal and binary units, with and without a space; nothing is no limit."""
    assert parse_bytes("--memory-limit", text) == size


@given(st.text(max_size=12))
def test_any_other_size_is_one_clear_error(text):
    """Never a traceback, never a size of nothing."""
    size: int | None = None
    with suppress(UsageError):
        size = parse_bytes("--memory-limit", text)
    assert size is None or size > 0


def test_the_cpu_needs_a_limit():
    """Its memory ends where the whole system does; CUDA's has an end of its own."""
    suites, models = pick_suites(["capacity"], None), pick_models([])
    with pytest.raises(UsageError, match="--memory-limit"):
        make_cases(suites, models, Options())
    cases, _ = make_cases(suites, models, Options(memory_limit=10**9, batch_sizes=(4,)))
    assert {c.workload.batch_size for c in cases} == {1}
    assert make_cases(suites, models, Options(devices=("cuda",)))


def test_it_is_only_run_when_it_is_named():
    """It takes a process per batch, and a limit."""
    assert "capacity" not in {s.name for s in pick_suites([], None)}


@pytest.mark.parametrize(("device", "number"), [("cuda", 3), ("cuda:1", 1)])
def test_on_cuda_the_allocator_keeps_to_the_limit(device, number):
    """As a share of the device's memory, by its number; without a limit nothing is set."""

    class FakeCuda:
        """What is needed of torch.cuda."""

        def __init__(self):
            self.set = []

        def current_device(self):
            """See torch.cuda."""
            return 3

        def get_device_properties(self, found):
            """See torch.cuda."""
            assert found == number
            return SimpleNamespace(total_memory=8 * 10**9)

        def set_per_process_memory_fraction(self, fraction, found):
            """See torch.cuda: the number, never a name."""
            assert isinstance(found, int)
            self.set.append((fraction, found))

    cuda = FakeCuda()
    bound_cuda(cuda, device, None)
    bound_cuda(cuda, device, 2 * 10**9)
    bound_cuda(cuda, device, 10**12)
    assert cuda.set == [(0.25, number), (1.0, number)]
