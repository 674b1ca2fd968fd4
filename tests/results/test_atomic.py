import pytest

from bench.results import atomic
from bench.results.atomic import write_json


def test_a_replaced_file_is_never_half_there(tmp_path, monkeypatch):
    """When writing fails midway, the old file is whole and no other is left behind to be read."""
    path = tmp_path / "environment.json"
    write_json(path, {"a": 1})
    monkeypatch.setattr(atomic.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_json(path, {"a": 2})
    assert '"a": 1' in path.read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["environment.json"]
