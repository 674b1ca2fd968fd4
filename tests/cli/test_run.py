import psutil

from bench.cli import run


def test_a_busy_machine_is_a_warning_and_a_load_that_is_hidden_is_none(monkeypatch):
    """A container may have no /proc/loadavg."""

    def hidden():
        raise OSError

    monkeypatch.setattr(psutil, "getloadavg", lambda: (1e6, 0.0, 0.0))
    assert len(run._busy()) == 1
    monkeypatch.setattr(psutil, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert run._busy() == []
    monkeypatch.setattr(psutil, "getloadavg", hidden)
    assert run._busy() == []
