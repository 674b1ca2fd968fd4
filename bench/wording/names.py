"""What sentences, tables and figures call a model."""

from __future__ import annotations

SHORT = {
    "bert-base-uncased": "BERT",
    "albert-base-v2": "ALBERT",
    "albert-base-v2-fused": "ALBERT with a fused gelu",
}
"""How sentences call the two models this tool is about."""
NAME_LENGTH = 28
"""Longest model name in prose (characters); tables give it in full."""
LABEL_LENGTH = 15
"""Longest model name in a figure."""


def short(model: str) -> str:
    """A model's name as sentences say it."""
    return SHORT.get(model, model)


def short_names(
    names: list[str], known: dict[str, str], longest: int = NAME_LENGTH
) -> dict[str, str]:
    """Names fit for a sentence or an axis: printable, short, and still different."""
    found: dict[str, str] = {}
    for name in names:
        text = "".join(c if c.isprintable() else "\ufffd" for c in known.get(name, name)) or "?"
        if len(text) > longest:
            half = longest // 2
            text = f"{text[:half]}…{text[1 - half :]}"
        while text in found.values():
            text += "′"
        found[name] = text
    return found
