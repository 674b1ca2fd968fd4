"""Exact figures from an architecture: FLOPs and peak activation bytes of one inference forward.

FLOPs count 2 per multiply-add of the dense layers and the two attention products, nothing else:
the same operations that `torch.utils.flop_counter` counts in eager attention.
"""

from __future__ import annotations

from bench.core.architecture import Architecture
from bench.core.axes import Head
from bench.core.case import Workload

FLOAT32_BYTES = 4


LABELS = 2
"""Classes of a classification head, and ends of an answer: what transformers makes by default."""


def forward_flops(arch: Architecture, workload: Workload, head: Head = Head.FEATURES) -> int:
    """FLOPs of one forward of the model with a head (the base model with its pooler by default).

    Per layer and sequence of S tokens: 8 S H^2 for the four projections, 4 S H I for the
    feed-forward, 4 S^2 H for scores and values; a narrow embedding adds 2 S E H.
    """
    s, h, i = workload.seq_len, arch.hidden_size, arch.intermediate_size
    layer = 8 * s * h**2 + 4 * s * h * i + 4 * s**2 * h
    projection = 2 * s * arch.embedding_size * h if arch.projects_embeddings else 0
    return workload.batch_size * (arch.layers * layer + projection + _head_flops(arch, s, head))


def _head_flops(arch: Architecture, s: int, head: Head) -> int:
    """What stands on the encoder, per sequence of `s` tokens.

    Features: the pooler, 2 H^2. Masked LM: S (2 H E + 2 E V), a transform to the embeddings' width
    and one score per word. A class of the sequence: a dense layer on its first token, and the
    scores. A class of each token, or the ends of an answer: the scores alone.
    """
    h, e = arch.hidden_size, arch.embedding_size
    match head:
        case Head.FEATURES:
            return 2 * h**2 if arch.pooler else 0
        case Head.MASKED_LM:
            return s * (2 * h * e + 2 * e * arch.vocab_size)
        case Head.SEQUENCE:
            return 2 * h**2 + 2 * h * LABELS
        case Head.TOKEN | Head.QUESTION:
            return s * 2 * h * LABELS


def peak_activation_bytes(
    arch: Architecture, workload: Workload, element_bytes: int = FLOAT32_BYTES
) -> int | None:
    """Most bytes of activations alive at once in one SDPA forward; None where no formula is known.

    T(2I + 3H) elements for a fused gelu with full-width embeddings, T(4I + 2H + E) for ALBERT's
    gelu_new, which keeps four intermediate-sized temporaries, T(2I + 2H + E) with it fused.
    Peaks in the feed-forward, so it holds for sequences short enough that attention is smaller.
    """
    t, h, i, e = workload.tokens, arch.hidden_size, arch.intermediate_size, arch.embedding_size
    formulas = {
        ("bert", "gelu"): 2 * i + 3 * h,
        ("albert", "gelu_new"): 4 * i + 2 * h + e,
        ("albert", "gelu_pytorch_tanh"): 2 * i + 2 * h + e,
    }
    elements = formulas.get((arch.model_type, arch.activation))
    return None if elements is None else t * elements * element_bytes
