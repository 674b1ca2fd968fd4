"""What a machine can gate on, and the study of the gate's error rates, on made-up sessions."""

from __future__ import annotations

import random

import pandas as pd
import pytest

from bench.gate import noise, study, verify
from bench.gate.decision import effect
from bench.gate.noise import Recorded
from bench.gate.paired import Clock
from bench.tables import PAIRS

CASES = ("check/a", "check/b", "check/c", "check/d")


def test_a_quiet_machine_gates_on_less():
    """The smallest threshold that holds grows with the noise."""

    def least(sd):
        return next(p.threshold for p in noise.prospects([sd] * 4, 40.0) if p.holds)

    assert least(0.005) < least(0.02) < least(0.08)


def test_the_answer_names_threshold_and_time():
    """The sentence gives a share and minutes; the table has both clocks' noise."""
    rng = random.Random(1)
    logs = {case: [rng.gauss(0, 0.005) for _ in range(6)] for case in CASES}
    text = noise.show(Recorded(dict.fromkeys(Clock, logs), 30.0), Clock.WALL)
    assert "smallest regression that this machine can gate on by wall time is" in text
    assert "| check/a | 6 |" in text


def test_a_hopeless_machine_is_told_what_to_do():
    """No threshold holds: close programs, fewer threads, CPU time."""
    logs = {case: [-1.0, 1.0, -0.9, 1.1] for case in CASES}
    text = noise.show(Recorded(dict.fromkeys(Clock, logs), 30.0), Clock.WALL)
    assert "--clock cpu" in text


def made_up(sessions=40, sd=0.015, drift=0.05):
    """A study's table: quiet paired log-ratios, and means that drift between sessions."""
    rng = random.Random(7)
    rows = []
    for pair in range(1, sessions * len(study.SLOWDOWNS) + 1):
        slowdown = study.SLOWDOWNS[(pair - 1) % len(study.SLOWDOWNS)]
        for case in CASES:
            log = effect(slowdown) + rng.gauss(0, sd)
            base = 0.1 * (1 + abs(rng.gauss(0, drift)))
            values = (case, pair, study.stage(slowdown), log, log, 8, base, base * (1 + slowdown))
            rows.append(dict(zip(PAIRS, values, strict=True)))
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def page():
    """The report of a made-up study."""
    run = {"slowed": "", "seconds": 180.0, "verdicts": dict.fromkeys(CASES, "within noise")}
    slowed = {**run, "slowed": CASES[0], "verdicts": {CASES[0]: "slower"}}
    facts = study.Facts(gate_runs=[run, slowed])
    return verify.report(made_up(), facts, Clock.WALL)


def cells(page, slowdown):
    """The figures of one row of the table, in percent."""
    line = next(text for text in page.splitlines() if text.startswith(f"| {slowdown} |"))
    return [float(cell.strip(" %")) for cell in line.split("|")[3:-1]]


def test_the_study_sets_the_gate_beside_the_rule_on_means(page):
    """On sessions of the promised noise the gate keeps both errors; the stored mean does not."""
    _, _, red, unknown, stored, same = cells(page, "0%")
    assert red < 1
    assert unknown < 1
    assert stored > 5
    assert same == 0
    assert cells(page, "5%")[2] >= 95
    assert cells(page, "10%")[2] >= 99


def test_the_study_counts_its_real_gate_runs(page):
    """Red runs, those for the right case, and the median time."""
    assert "1 real gate runs, equal sides: 0 red; 3.0 minutes" in page
    assert "one case 5% slower: 1 red, 1 of them for the slowed case" in page


def test_extra_work_comes_in_whole_units():
    """A slowdown is turned into the number of units that comes nearest to it."""
    facts = study.Facts(units={"check/a": 0.004})
    assert facts.extra_units(0.05) == {"check/a": 12}
    assert facts.extra_units(0.0) == {"check/a": 0}
