import pytest
from fakes import TINY

from bench.core.architecture import Model
from bench.core.axes import Head, Variant
from bench.core.case import Workload
from bench.core.flops import forward_flops, peak_activation_bytes
from bench.worker.loading import load, make_inputs
from bench.worker.measures.static import count_flops
from suites.models import ALBERT_BASE, BERT_BASE

MIB = 1 << 20


@pytest.mark.parametrize(
    ("arch", "seq_len", "flops"),
    [
        (BERT_BASE, 128, 22_348_431_360),
        (BERT_BASE, 512, 96_637_943_808),
        (ALBERT_BASE, 128, 22_373_597_184),
    ],
)
def test_flops_equal_the_published_figures(arch, seq_len, flops):
    """FLOPs of one forward of one sequence, to the last digit."""
    assert forward_flops(arch, Workload(1, seq_len)) == flops


@pytest.mark.parametrize("head", list(Head))
@pytest.mark.parametrize("kind", list(TINY))
def test_a_heads_flops_are_those_that_torch_counts(kind, head):
    """For every head the formula and torch's counter agree to the last digit."""
    variant = Variant(head=head)
    module = load(Model(kind, kind, TINY[kind]), variant, None, "cpu", random=True)
    workload = Workload(2, 8)
    counted = count_flops(module, make_inputs(module, workload, "cpu", seed=0))
    assert forward_flops(TINY[kind], workload, head) == counted


def test_the_masked_lm_head_costs_albert_less():
    """Scores over the words come from 128 units, not from 768: the head changes the answer."""
    workload, head = Workload(1, 128), Head.MASKED_LM
    costs = {
        arch.model_type: forward_flops(arch, workload, head) - forward_flops(arch, workload)
        for arch in (BERT_BASE, ALBERT_BASE)
    }
    pooler = 2 * 768**2
    assert costs["bert"] == 128 * (2 * 768**2 + 2 * 768 * 30522) - pooler
    assert costs["albert"] == 128 * (2 * 768 * 128 + 2 * 128 * 30000) - pooler


def test_flops_grow_with_the_batch():
    """Sequences do not see each other."""
    one, eight = (forward_flops(TINY["albert"], Workload(b, 16)) for b in (1, 8))
    assert eight == 8 * one


@pytest.mark.parametrize(("arch", "mib"), [(BERT_BASE, 132.0), (ALBERT_BASE, 218.0)])
def test_peak_activations_equal_the_measured_figures(arch, mib):
    """At batch 8 and 512 tokens: what the allocator was seen to hand out, in MiB."""
    assert peak_activation_bytes(arch, Workload(8, 512)) == mib * MIB
    assert peak_activation_bytes(arch, Workload(8, 512), element_bytes=2) == mib * MIB / 2


def test_an_unknown_architecture_has_no_activation_formula():
    """Nothing is claimed about the memory of an activation that was not looked at."""
    from dataclasses import replace

    assert peak_activation_bytes(replace(BERT_BASE, activation="relu"), Workload(1, 8)) is None
