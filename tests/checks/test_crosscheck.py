import pytest

from bench.checks.crosscheck import Agreement, Untimed, agreements, main, show
from bench.core.axes import REFERENCE, Variant
from bench.core.case import Workload
from bench.core.errors import UsageError
from bench.plan.registry import pick_models

ONE = Workload(1, 32)


def agreement(ratio):
    """One variant with this ratio of our time to torch's."""
    return Agreement("bert", "float32 eager", ONE, ratio, ratio - 0.001, ratio + 0.001)


@pytest.mark.parametrize(("ratio", "holds"), [(1.0, True), (1.019, True), (0.97, False)])
def test_times_agree_within_two_percent(ratio, holds):
    """Either way."""
    assert agreement(ratio).holds is holds


def test_what_is_too_noisy_to_tell_is_no_agreement_and_no_fault(capsys):
    """Its interval reaches into the tolerance; the command says so, and does not pass."""
    noisy = Agreement("bert", "float32 eager", ONE, 0.94, 0.88, 1.10)
    assert noisy.is_noise
    assert not agreement(0.94).is_noise
    assert show([noisy]) == 1
    assert "not shown: too noisy" in capsys.readouterr().out


def test_every_variant_is_told_and_one_that_disagrees_fails_the_command(capsys):
    """The exit code and the line say so; nothing compared is no agreement."""
    assert show([agreement(1.001), agreement(1.05)]) == 1
    told = capsys.readouterr().out
    assert "1.0010 [1.0000, 1.0020]  ok" in told
    assert "1.0500 [1.0490, 1.0510]  FAILED: more than 2% apart" in told
    assert show([agreement(1.001)]) == 0
    assert show([]) == 1


def test_variants_are_timed_both_ways_and_those_that_cannot_run_have_a_reason(tiny_models, capsys):
    """Real forwards of a tiny model; how long they take is no concern of this test."""
    models = pick_models([str(tiny_models["bert"])])
    variants = (REFERENCE, Variant("bfloat16", attention="flash"))
    found, skipped = agreements(models, variants, "cpu", threads=1)
    assert (found.model, found.variant, found.workload) == ("bert", "float32 eager", ONE)
    assert 0 < found.low <= found.ratio <= found.high
    assert not skipped.failed
    assert show([agreement(1.0), skipped]) == 0
    assert "skipped: " in capsys.readouterr().out


def test_a_variant_that_breaks_is_a_line_and_the_others_go_on(tiny_models, monkeypatch, capsys):
    """Its reason stands there instead of a traceback, and the command does not pass."""

    def broken(*_, **__):
        raise RuntimeError("no such\nkernel")

    monkeypatch.setattr("bench.worker.variants.build", broken)
    models = pick_models([str(tiny_models["bert"])])
    found = list(agreements(models, (REFERENCE,), "cpu", threads=1))
    assert found == [Untimed("bert", "float32 eager", ONE, "RuntimeError: no such", failed=True)]
    assert show([*found, agreement(1.0)]) == 1
    assert "FAILED: RuntimeError: no such" in capsys.readouterr().out


@pytest.mark.parametrize("threads", [0, -1])
def test_a_number_of_threads_that_is_none_is_refused(threads):
    """With the words of `bench run`."""
    with pytest.raises(UsageError, match=f"--threads is {threads}"):
        main((), "cpu", threads)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device):
    """Likewise."""
    with pytest.raises(UsageError, match=f"--device is .?{device}"):
        main((), device, 1)
