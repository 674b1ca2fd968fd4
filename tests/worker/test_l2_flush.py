from dataclasses import replace
from types import SimpleNamespace

import torch
from fakes import case

from bench.core.axes import Cache, Variant
from bench.worker.l2_flush import flusher


def test_what_is_overwritten_is_several_times_the_l2(monkeypatch):
    """A hash spreads lines over its parts: once its size could leave some."""
    device = SimpleNamespace(L2_cache_size=1000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: device)
    flush = flusher(replace(case(), variant=Variant(cache=Cache.COLD)))
    written = flush()
    assert written.numel() >= 2000
    assert not written.any()


def test_nothing_is_overwritten_in_the_warm_mode():
    """That is the usual one."""
    assert flusher(case()) is None
