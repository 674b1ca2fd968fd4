import psutil

from bench.cli import flow


def test_a_busy_machine_is_a_warning_and_a_load_that_is_hidden_is_none(monkeypatch):
    """A container may have no /proc/loadavg."""

    def hidden():
        raise OSError

    monkeypatch.setattr(psutil, "getloadavg", lambda: (1e6, 0.0, 0.0))
    assert len(flow._busy()) == 1
    monkeypatch.setattr(psutil, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert flow._busy() == []
    monkeypatch.setattr(psutil, "getloadavg", hidden)
    assert flow._busy() == []
