import pytest
from fakes import ScriptedLauncher, worker_events

from bench.checks.selftest import ALLOCATION_BYTES, DELAY_S, PROCESSES, aa_test, known_values, main
from bench.core.case import Status
from bench.core.errors import BenchError, UsageError
from bench.core.events import Ended, Finished, Known, Quantity


@pytest.mark.parametrize(
    ("quantity", "good", "bad"),
    [
        (Quantity.OVERHEAD, 2e-6, 20e-6),
        (Quantity.ROUND_READING, 1e-4, 2e-3),
        (Quantity.ADDED_DELAY, 1.005 * DELAY_S, 0.98 * DELAY_S),
        (Quantity.ALLOCATION, ALLOCATION_BYTES, 1.02 * ALLOCATION_BYTES),
    ],
)
def test_every_quantity_has_a_limit(quantity, good, bad):
    """What was measured passes on one side of it only."""
    told = [Known(quantity, value, 10) for value in (good, bad)]
    assert [check.passed for check in known_values([*told, Finished(), Ended()])] == [True, False]


def test_a_worker_that_fails_is_one_line():
    """And no table that looks whole."""
    with pytest.raises(BenchError, match=r"the self-test's worker failed: no memory"):
        list(known_values([Ended(Status.FAILED, "no memory")]))


def test_an_aa_test_passes_where_the_interval_contains_one():
    """Each process is a job of its own."""
    launcher = ScriptedLauncher()
    check = aa_test(launcher)
    assert check.passed
    assert [job.process for job in launcher.jobs] == list(range(1, PROCESSES + 1))


def test_the_aa_test_runs_on_the_device_that_was_asked_for():
    """Both sides, in every process; what is no device is refused before anything is measured."""
    launcher = ScriptedLauncher()
    assert aa_test(launcher, "cuda:1").passed
    assert {one.device for job in launcher.jobs for one in job.cases} == {"cuda:1"}
    with pytest.raises(UsageError, match="--device is 'tpu'"):
        main("tpu")


def test_a_miss_of_the_aa_test_is_tried_once_more_before_it_fails():
    """With another seed, in fresh processes."""
    launcher = ScriptedLauncher(lambda job: worker_events(job, {"one": 0.01, "other": 0.011}))
    check = aa_test(launcher)
    assert not check.passed
    assert [job.seed for job in launcher.jobs] == [0] * PROCESSES + [1] * PROCESSES
    assert check.found.count("1.1000") > 1


def test_an_aa_test_whose_worker_dies_is_one_line():
    """With how it ended."""
    launcher = ScriptedLauncher(lambda _: [Ended(Status.KILLED, "killed")])
    with pytest.raises(BenchError, match="worker failed: killed"):
        aa_test(launcher)
