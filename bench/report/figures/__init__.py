"""The figures, one file each and nothing else: a file that is put here is a figure of the page."""

from __future__ import annotations

from pkgutil import iter_modules


def names() -> list[str]:
    """The names of all figures, which are those of their files; imports none of them."""
    return sorted(module.name for module in iter_modules(__path__))
