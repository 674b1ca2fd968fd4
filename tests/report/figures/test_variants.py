"""The figure of variants concludes what its intervals allow."""

from __future__ import annotations

from variant_runs import COMPILED, drawn, variant, view

from bench.core.axes import REFERENCE
from bench.report.figures import variants


def test_the_figure_of_variants_says_which_is_best_for_each_model(tmp_path):
    """Its title is the conclusion; the reference is named on the axis."""
    seconds = {variant(REFERENCE): 1.0, variant(COMPILED): 0.5}
    seconds |= {variant(REFERENCE, "albert"): 1.0, variant(COMPILED, "albert"): 0.25}
    found = drawn(variants.draw, view(tmp_path, seconds))
    assert found.title == (
        "At batch 1, 128 tokens bert runs fastest as float32 sdpa compile-default (2.00×), "
        "albert as float32 sdpa compile-default (4.00×)"
    )
    assert found.figure.axes[0].get_xlabel() == "× as fast as float32 eager (log)"


def test_variants_that_are_no_faster_are_said_not_to_be(tmp_path):
    """Slower is no speed-up."""
    found = drawn(variants.draw, view(tmp_path, {variant(REFERENCE): 1.0, variant(COMPILED): 1.5}))
    assert "no variant is known to be faster than float32 eager" in found.title
