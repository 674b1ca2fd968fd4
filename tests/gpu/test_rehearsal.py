"""Every step of a run on a lent GPU, on the CPU with tiny models: it must not fail for a trifle."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import kit
import pytest

pytestmark = [
    pytest.mark.extended,
    pytest.mark.skipif(sys.platform == "win32", reason="needs bash and timeout(1)"),
]
RUN = Path(kit.__file__).with_name("run.sh")
NOT_ON_A_CPU = {"cold_l2"}
JUDGES = {"crosscheck", "selftest"}
"""Steps that judge times: on a machine that others use they may fail, or take too long."""
HANGS = 'add hangs 1\nstep_hangs() { sleep 600; }\nORDER=(hangs "${ORDER[@]:0:${#ORDER[@]}-1}")\n'
"""A step that never ends, before all others."""


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """What a whole rehearsal leaves."""
    place = tmp_path_factory.mktemp("rehearsal")
    (place / "steps").write_text(HANGS)
    subprocess.run(
        ["bash", str(RUN), "--device", "cpu", "--with", "steps", "out"],  # noqa: S607 - likewise
        cwd=place,
        env={**os.environ, "PYTHON": sys.executable},
        timeout=1500,
        check=False,
    )
    return place / "out"


def test_every_step_runs_after_one_that_hangs(out):
    """Only what a CPU does not have is skipped, by name."""
    steps = json.loads((out / "summary.json").read_text())["steps"]
    states = {s["step"]: s["state"] for s in steps}
    assert states.pop("hangs") == "cut"
    for name in JUDGES:
        assert states.pop(name) in ("ok", "failed", "cut")
    assert {name for name, state in states.items() if state == "skipped"} == NOT_ON_A_CPU
    bad = [s for s in steps if states.get(s["step"], "ok") not in ("ok", "skipped")]
    assert not bad
    assert len(states) >= 10


def test_what_was_measured_comes_back_in_whole_archives(out):
    """Logs of all steps, a run of each that measures, and the page of the runs."""
    found = {}
    for name in kit.ARCHIVES:
        file = out / f"{name}.tar.gz"
        assert file.stat().st_size < kit.ARCHIVE_LIMIT
        with tarfile.open(file) as archive:
            found[name] = archive.getnames()
    assert "logs/packages.log" in found["logs"]
    for run in ("float32", "half", "memory", "variants"):
        assert f"results/{run}/samples.csv" in found["results"]
    assert "pages/all/index.html" in found["pages"]
    assert len(list(out.iterdir())) == len(kit.ARCHIVES) + 2
