"""What a forward needs in memory by its number of tokens, and where two models need the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.report.view import Context, View


@dataclass(frozen=True)
class Need:
    """Weights plus activations of a model as counted (bytes), and the line they lie on.

    `tokens` and `bytes_needed` have an entry per workload; `weights` is in bytes, `per_token` in
    bytes per token of a forward.
    """

    tokens: np.ndarray
    bytes_needed: np.ndarray
    weights: float
    per_token: float

    def at(self, tokens: Any) -> Any:
        """Bytes at a number of tokens."""
        return self.weights + self.per_token * np.asarray(tokens, dtype=float)


def needs_of(view: View, context: Context) -> dict[str, Need]:
    """For each model with counted activations: what a forward needs, by tokens."""
    activations = view.values("peak_activation_bytes", context)
    found = {}
    for model in view.models:
        own = activations[activations["model"] == model]
        weights = view.one_value("weight_bytes", model, context)
        if own.empty or weights is None:
            continue
        tokens = (own["batch_size"] * own["seq_len"]).to_numpy(dtype=float)
        counted = own["value"].to_numpy(dtype=float)
        per_token = float((tokens * counted).sum() / (tokens**2).sum())
        found[model] = Need(tokens, counted + weights.value, float(weights.value), per_token)
    return found


def tokens_of_equal_need(own: Need, reference: Need) -> float | None:
    """Tokens above which a model that stores less needs more than the reference, if any."""
    steeper, heavier = own.per_token - reference.per_token, reference.weights - own.weights
    return heavier / steeper if steeper > 0 and heavier > 0 else None
