"""The reference GEMM that is timed beside the models, and the share of its speed."""

from __future__ import annotations

import random

import pytest
import torch
from fakes import case, job, of, pair, values

from bench.core.architecture import Model
from bench.core.axes import Dtype
from bench.core.events import Gemm, Phase, Sample, Samples
from bench.core.flops import forward_flops
from bench.worker import reference_gemm as gemm
from bench.worker.clock import SystemClock
from bench.worker.measures import forward
from bench.worker.sampler import GEMM_BLOCK, Limits, ReferenceGemm, Sampler
from bench.worker.session import Session


def timed(walls, cpus=None, phase=Phase.SAMPLE):
    """One sample in each round."""
    cpus = cpus or walls
    return [
        Sample(phase, number, 0.0, wall, cpu)
        for number, (wall, cpu) in enumerate(zip(walls, cpus, strict=True), start=1)
    ]


def share(one, forwards, gemms):
    """The share of a case whose forward has as many FLOPs as the GEMM."""
    return gemm.share(one, lambda _: gemm.flops("cpu"), forwards, gemms)


def test_a_forward_that_takes_twice_as_long_has_half_the_speed():
    """With as many FLOPs in both, the share is the ratio of their seconds."""
    assert share(case(), timed([0.2] * 3), timed([0.1] * 3)) == {"gemm_share": pytest.approx(0.5)}


def test_load_that_takes_from_both_leaves_the_share():
    """Each round is set against its own GEMM, so rounds may differ as they like."""
    pace = [1.0, 3.0, 0.7, 9.0]
    found = share(case(threads=2), timed([0.2 * p for p in pace]), timed([0.1 * p for p in pace]))
    assert found["gemm_share"] == pytest.approx(0.5)


@pytest.mark.parametrize(("threads", "wanted"), [(1, 0.5), (2, 0.25)])
def test_waiting_for_a_core_does_not_count_on_one_thread(threads, wanted):
    """CPU seconds on one thread; wall seconds where CPU time runs on while threads wait."""
    forwards, gemms = timed([0.4] * 3, [0.2] * 3), timed([0.1] * 3)
    assert share(case(threads=threads), forwards, gemms)["gemm_share"] == pytest.approx(wanted)


def test_only_the_fastest_samples_of_rounds_that_can_be_used_count():
    """Cold, invalid and slower runs are left out, and so is a round without a GEMM."""
    forwards = [*timed([9.0], phase=Phase.SWITCH), *timed([0.3]), *timed([0.2, 7.0])]
    gemms = [*timed([8.0], phase=Phase.SWITCH), *timed([0.1])]
    assert share(case(), forwards, gemms)["gemm_share"] == pytest.approx(0.5)
    assert share(case(), forwards, timed([0.1], phase=Phase.INVALID)) == {}


def test_the_reference_gemm_is_what_its_flops_say():
    """2 per multiply-add, in the dtype of the case; a dtype that is no float's is float32."""
    rows, inner, columns = gemm.SHAPES["cpu"]
    assert gemm.flops("cpu") == 2 * rows * inner * columns
    out = gemm.work("cpu", Dtype.BFLOAT16)()
    assert (tuple(out.shape), out.dtype) == ((rows, columns), torch.bfloat16)
    assert gemm.work("cpu", Dtype.INT8)().dtype == torch.float32


def test_the_reference_gemm_stands_at_the_start_of_each_round(clock):
    """A block of them in every round, after which each model's first short forward is a switch."""
    gemms = ReferenceGemm(clock.forward(0.01))
    sampler = Sampler(clock, random.Random(0), Limits(2.0, 0.0), reference=gemms)
    samples = sampler.rounds({"a": clock.forward(0.02)}, {"a": 0.02})["a"]
    rounds = {t.round for t in samples}
    for number in rounds:
        block = [t for t in gemms.samples if t.round == number]
        assert [t.phase for t in block] == [Phase.SWITCH] + [Phase.SAMPLE] * GEMM_BLOCK
        forwards = [t for t in samples if t.round == number]
        assert forwards[0].phase is Phase.SWITCH
        assert block[-1].at_s < forwards[0].at_s
    assert {t.round for t in gemms.samples} == rounds


def test_an_invalid_round_makes_its_gemms_invalid(clock):
    """They were run while the machine slept as well."""

    class Sleeps:
        def begin(self):
            pass

        def end(self, number):
            return number > 1

    gemms = ReferenceGemm(clock.forward(0.01))
    sampler = Sampler(clock, random.Random(0), Limits(2.0, 0.0), Sleeps(), gemms)
    sampler.rounds({"a": clock.forward(0.1)}, {"a": 0.1})
    assert {t.phase for t in gemms.samples if t.round == 1} == {Phase.INVALID}
    assert Phase.SAMPLE in {t.phase for t in gemms.samples if t.round == 2}


@pytest.mark.process
def test_a_worker_keeps_its_gemms_and_says_the_share(forks):
    """A real worker: gemms of every round of the group, and the share that they make."""
    work = job(pair(seq_len=8))
    events = list(forks.run(work, 120))
    (gemms,) = of(Gemm, events)
    assert gemms.group == work.cases[0].group
    for one in work.cases:
        (rows,) = [e.rows for e in of(Samples, events) if e.case == one.id]
        share = values(events, one.id)["gemm_share"]
        arch = next(m for m in work.models if m.name == one.model).architecture
        counted = forward_flops(arch, one.workload)
        again = gemm.share(one, lambda _, n=counted: n, rows, gemms.rows)
        assert share == pytest.approx(again["gemm_share"])
        assert share > 0


def test_a_model_of_unknown_architecture_has_no_share():
    """Its FLOPs are not known, and a guess would be worse than nothing."""
    one = case()
    unknown = job([one], models=(Model("bert", "owner/bert"),))
    session = Session(unknown, lambda _: None, SystemClock())
    gemms = ReferenceGemm(lambda: None, timed([0.1]))
    assert forward.share(session, one, timed([0.1]), gemms) == {}
