"""The page in a real browser: no error, no request, accessible, usable with and without script.

Needs chromium, node and `npm ci` in tests/browser (`.ci/run` does both); elsewhere these skip.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic import ALBERT, BERT, Plan, write_run

from bench.core.architecture import Model
from bench.core.axes import Dtype, Variant
from bench.report import write_report
from suites.models import ALBERT_BASE

pytestmark = pytest.mark.process

BROWSER = Path(__file__).parents[1] / "browser"
CHROMIUM = next((found for n in ("chromium", "chromium-browser") if (found := shutil.which(n))), "")
NEEDS = {
    "chromium": CHROMIUM,
    "node": shutil.which("node"),
    "npm ci in tests/browser": (BROWSER / "node_modules" / "playwright-core").is_dir(),
}
MISSING = [name for name, found in NEEDS.items() if not found]
LONG = Model("<b>albert</b>-" + "with-a-very-long-name-" * 6, "x/long", ALBERT_BASE)


def look(page):
    """What the driver saw of a page."""
    if MISSING:
        text = f"the browser tests need {', '.join(MISSING)}"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    command = ["node", "look.mjs", CHROMIUM, str(page)]
    if folder := os.environ.get("SCREENSHOTS"):
        command.append(folder)
    done = subprocess.run(
        command, cwd=BROWSER, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """One look at a hard page: several contexts, a failure, three models, a long name, two runs."""
    folder = tmp_path_factory.mktemp("browser")
    plan = Plan(
        models=(BERT, ALBERT, LONG),
        variants=(Variant(), Variant(dtype=Dtype.BFLOAT16)),
        failed={"latency/albert-base-v2/cpu/float32/sdpa/t2/b1/s32": ("killed", "signal 9 " * 30)},
        processes=3,
        rounds=6,
    )
    runs = [
        write_run(folder / "run-a", plan),
        write_run(folder / "run-b", replace(plan, cpu="Another CPU", started="2026-11-25T00:00Z")),
    ]
    return look(write_report(runs, folder / "report"))


def test_nothing_goes_wrong_and_nothing_is_requested(seen):
    """The console stays empty and the page asks for nothing beyond itself."""
    assert seen["console"] == []
    assert seen["requests"] == []


def test_axe_finds_no_violation_in_either_scheme_at_either_width(seen):
    """Contrast (WCAG AA), landmarks, names, tables: light and dark, 1280 px and 390 px."""
    assert len(seen["views"]) == 4
    assert [view["violations"] for view in seen["views"]] == [[], [], [], []]


def test_a_phone_needs_no_sideways_scroll(seen):
    """Tables scroll in their own region; the page never does."""
    assert [view["overflow"] for view in seen["views"]] == [0, 0, 0, 0]


def test_sorting_orders_numbers_and_keeps_missing_ones_last(seen):
    """A click sorts up, the keyboard sorts down, and a case without a value stays at the end."""
    script = seen["script"]

    def numbers(cells):
        return [float(cell.split()[0].replace(",", "")) for cell in cells if cell]

    for order, reverse in (("ascending", False), ("descending", True)):
        found = numbers(script[order])
        assert found == sorted(found, reverse=reverse)
        assert script[order][-1] == ""
    assert sorted(script["before"]) == sorted(script["ascending"])
    assert script["sorted"] == "descending"


def test_filters_show_the_cases_they_name(seen):
    """Run, suite, device, dtype, model and status can be picked, and the count is said."""
    filters = seen["script"]["filters"]
    assert {"run", "suite", "device", "dtype", "model", "status"} <= set(filters)
    assert filters["status"]["values"] == ["killed", "ok"]
    assert filters["status"]["shown"] == 2
    assert filters["dtype"]["shown"] < seen["noscript"]["rows"]
    for found in filters.values():
        assert found["status"].startswith(f"{found['shown']} of ")


def test_without_script_every_case_is_there(seen):
    """The tables are whole, and filters that could not work are not shown."""
    assert seen["noscript"]["rows"] == 2 * 2 * 3 * 17
    assert seen["noscript"]["filters"] == 0
