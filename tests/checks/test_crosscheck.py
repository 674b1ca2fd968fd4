import pytest
from fakes import SOFTWARE

from bench.checks import crosscheck
from bench.checks.crosscheck import Crosschecked, Untimed, crosschecks, main, make_order, show
from bench.core.axes import REFERENCE, Attention, Dtype, Variant
from bench.core.case import Status
from bench.core.errors import UsageError
from bench.core.events import Begin, Compared, Ended, Failed, Finished, Software
from bench.plan.registry import pick_models
from bench.stats.intervals import Interval

FLASH = Variant(Dtype.BFLOAT16, attention=Attention.FLASH)


@pytest.fixture
def order(tiny_models):
    """A tiny model in two variants."""
    models = pick_models([str(tiny_models["bert"])])
    return make_order(models, (REFERENCE, FLASH), "cpu", threads=1)


def crosschecked(order, ratio, low=None, high=None):
    """The first case with this ratio of our time to another's."""
    interval = Interval(ratio, low or ratio - 0.001, high or ratio + 0.001)
    return Crosschecked(order.cases[0], "a timer", interval)


@pytest.mark.parametrize(("ratio", "holds"), [(1.0, True), (1.019, True), (0.97, False)])
def test_times_are_the_same_within_two_percent(order, ratio, holds):
    """Either way."""
    assert crosschecked(order, ratio).holds is holds


def test_what_is_too_noisy_to_tell_does_not_pass_and_is_no_fault(order, capsys):
    """Its interval reaches into the tolerance; the command says so, and does not pass."""
    noisy = crosschecked(order, 0.94, 0.88, 1.10)
    assert noisy.is_noise
    assert not crosschecked(order, 0.94).is_noise
    assert show([noisy]) == 1
    assert "not shown: too noisy" in capsys.readouterr().out


def test_every_variant_is_shown_and_one_that_differs_fails_the_command(order, capsys):
    """The exit code and the line say so; nothing compared is no pass."""
    assert show([crosschecked(order, 1.001), crosschecked(order, 1.05)]) == 1
    shown = capsys.readouterr().out
    assert "1.0010 [1.0000, 1.0020]  ok (a timer)" in shown
    assert "1.0500 [1.0490, 1.0510]  FAILED: more than 2% apart" in shown
    assert show([crosschecked(order, 1.001)]) == 0
    assert show([]) == 1


def test_a_variant_may_be_skipped_but_not_fail(order, capsys):
    """Its reason stands there instead of a traceback, and the others go on."""
    first, second = order.cases
    told = [
        Begin((first.id,)),
        Compared(first.id, "a timer", (0.0, 0.001, -0.001, 0.0)),
        Compared(first.id, "another", (0.0, 0.0, 0.0, 0.0)),
        Begin((second.id,)),
        Failed(second.id, Status.SKIPPED, "flash attention runs on CUDA only"),
        Finished(),
        Ended(),
    ]
    found = list(crosschecks(order, told))
    assert [(one.case, one.way) for one in found[:2]] == [(first, "a timer"), (first, "another")]
    assert found[2:] == [Untimed(second, "flash attention runs on CUDA only", failed=False)]
    assert show(found) == 0
    assert "skipped: flash attention" in capsys.readouterr().out
    told[4] = Failed(second.id, Status.FAILED, "RuntimeError: no such kernel")
    assert show(crosschecks(order, told)) == 1
    assert "FAILED: RuntimeError: no such kernel" in capsys.readouterr().out


def test_what_a_dead_worker_left_has_failed(order):
    """Each case with how the worker ended."""
    end = Ended(Status.KILLED, "the worker was ended by SIGKILL", "SIGKILL")
    found = list(crosschecks(order, [Begin((order.cases[0].id,)), end]))
    assert found == [Untimed(case, end.reason, failed=True) for case in order.cases]


@pytest.mark.parametrize("threads", [0, -1])
def test_a_number_of_threads_that_is_none_is_refused(threads):
    """With the words of `bench run`."""
    with pytest.raises(UsageError, match=f"--threads is {threads}"):
        main((), "cpu", threads)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device, monkeypatch):
    """Likewise."""
    monkeypatch.setattr(crosscheck, "probe", lambda **_: Software(SOFTWARE))
    with pytest.raises(UsageError, match=f"--device is .?{device}"):
        main((), device, 1)
