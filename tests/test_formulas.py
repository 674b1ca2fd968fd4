import pytest
from fakes import TINY

from bench.formulas import forward_flops, peak_activation_bytes
from bench.spec import Workload
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
