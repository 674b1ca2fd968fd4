"""What a machine can gate on, and the study of the gate's error rates, on made-up sessions."""

from __future__ import annotations

import math
import random
import re
import statistics
from dataclasses import asdict, replace

import pandas as pd
import pytest

from bench.core.errors import NothingMeasuredError, UsageError
from bench.gate import aa_noise as noise
from bench.gate import simulate, study
from bench.gate import study_report as verify
from bench.gate.aa_noise import Recorded
from bench.gate.cases import Asked, Timed
from bench.gate.clocks import JudgedClock
from bench.gate.sequential_test import effect
from bench.results import store as records
from bench.results.atomic import write_json
from bench.results.schema import PAIRS

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
    text = noise.show(Recorded(dict.fromkeys(JudgedClock, logs), 30.0), JudgedClock.WALL)
    assert "smallest regression that this machine can gate on by wall time is" in text
    assert "| check/a | 6 |" in text


def test_the_answer_names_the_time_it_takes_where_the_usual_one_does_not_do(monkeypatch):
    """Held to that many pairs the rule still keeps its promises at the threshold it names."""
    pair_s = 80.0
    least = next(p for p in noise.prospects([0.024] * 4, pair_s) if p.holds)
    assert f"--max-time {math.ceil(least.needed_s / 60) * 60}" in noise._sentence(
        [least], JudgedClock.CPU
    )
    quick = replace(least, needed_s=least.needed_s / 10)
    assert "--max-time" not in noise._sentence([quick], JudgedClock.CPU)
    monkeypatch.setattr(simulate, "MOST_PAIRS", int(least.needed_s // pair_s))
    limited = noise.prospects([0.024] * 4, pair_s, seed=1)
    again = next(p for p in limited if p.threshold == least.threshold)
    assert again.found >= noise.LEAST_FOUND
    assert again.unknown < 2 * noise.MOST_ALARMS


def test_a_hopeless_machine_is_told_what_to_do():
    """No threshold holds: close programs, fewer threads, CPU time."""
    logs = {case: [-1.0, 1.0, -0.9, 1.1] for case in CASES}
    text = noise.show(Recorded(dict.fromkeys(JudgedClock, logs), 30.0), JudgedClock.WALL)
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
    return verify.report(made_up(), facts, JudgedClock.WALL)


def cells(page, slowdown):
    """The figures of one row of the table, in percent."""
    line = next(text for text in page.splitlines() if text.startswith(f"| {slowdown} |"))
    return [float(cell.strip(" %")) for cell in line.split("|")[2:-1]]


def test_the_study_sets_the_gate_beside_the_rule_on_means(page):
    """On sessions of the promised noise the gate keeps both errors; the stored mean does not."""
    _, _, _, red, unknown, pairs, pooled, stored, same = cells(page, "0%")
    assert max(red, unknown, pooled) < 1
    assert 3 <= pairs <= 6
    assert stored > 5
    assert same == 0
    assert min(cells(page, "5%")[3], cells(page, "5%")[6]) >= 95
    assert min(cells(page, "10%")[3], cells(page, "10%")[6]) >= 99


def test_the_study_shows_both_clocks_and_the_coverage(page):
    """The judged clock comes first; each has its table, its coverage and identical sides' mean."""
    wall, cpu = page.index("## By wall seconds"), page.index("## By CPU seconds")
    assert wall < cpu
    covered = [float(found) for found in re.findall(r"contains 1 in ([\d.]+)%", page)]
    assert len(covered) == 2
    assert all(93 <= one <= 97 for one in covered)
    assert page.count("All 160 pairs of identical sides together: ratio ") == 2


def test_a_study_that_has_just_begun_is_shown_without_figures(monkeypatch):
    """Sessions that are still to come leave their cells empty."""
    monkeypatch.setattr(verify, "TRIALS", 100)
    table = made_up(sessions=2)
    table = table[(table["stage"] != study.stage(0.10)) | (table["case"] == CASES[0])]
    page = verify.report(table, study.Facts(), JudgedClock.CPU)
    assert "No real gate runs yet." in page
    line = next(text for text in page.splitlines() if text.startswith("| 10% |"))
    assert line.count("|") == len(verify.HEADER) + 1
    assert "No coverage" in page


def test_the_spread_of_all_pairs_is_that_of_one():
    """Pairs around the mean of those with their slowdown, not narrower for its being theirs."""
    table = made_up(sessions=10)
    every = [verify.sessions(table, slowdown, JudgedClock.WALL) for slowdown in study.SLOWDOWNS]
    found = verify.residuals(every)
    assert {len(found[case]) for case in CASES} == {40}
    everything = [log for case in CASES for log in found[case]]
    assert statistics.pstdev(everything) == pytest.approx(0.015, rel=0.15)


def test_the_study_counts_its_real_gate_runs(page):
    """Red runs, those for the right case, and the median time."""
    words = (
        "1 real gate runs, identical sides, by wall seconds: 0 red; 0 with an unknown; 3.0 minutes"
    )
    assert words in page
    assert "one case 5% slower, by wall seconds: 1 red, 1 of them for the slowed case" in page


def test_extra_work_comes_in_whole_units():
    """A slowdown is turned into the number of units that comes nearest to it."""
    facts = study.Facts(units={"check/a": 0.004})
    assert facts.extra_units(0.05) == {"check/a": 12}
    assert facts.extra_units(0.0) == {"check/a": 0}


def test_the_pairs_that_open_a_gate_run_are_sessions_as_well():
    """Those before the first look, whatever they say; the slowed case's under its slowdown."""
    columns = list(made_up().columns)
    taken = [
        {**dict.fromkeys(columns, 0.5), "case": case, "pair": pair, "stage": "fresh"}
        for case in CASES[:2]
        for pair in range(1, 7)
    ]
    found = study.opening(pd.DataFrame(taken), CASES[1], number=4)
    assert [(row["case"], row["stage"]) for row in found] == [
        *[(CASES[0], study.stage(0.0))] * 3,
        *[(CASES[1], study.stage(study.THRESHOLD))] * 3,
    ]
    assert [row["pair"] for row in found] == [10_013, 10_014, 10_015] * 2
    assert set(found[0]) == set(columns)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"clock": JudgedClock.CPU}, "clock wall_s, not cpu_s"),
        ({"seed": 1}, "seed 0, not 1"),
        ({"asked": Asked(("mine:other",))}, r"models \['mine:make'\], not \['mine:other'\]"),
    ],
)
def test_a_study_goes_on_only_with_what_it_was_begun_with(tmp_path, other, told):
    """Pairs of other cases, or runs judged by another clock, would be taken for its own."""
    first = study.Study(tmp_path, Asked(("mine:make",)), 0, 0, JudgedClock.WALL, 60.0, 0, print)
    kept = study.Facts(units={"check/mine:make": 0.01}, terms=first._terms({}))
    write_json(tmp_path / study.FACTS, asdict(kept))
    assert first.run() == kept
    with pytest.raises(UsageError, match=told):
        replace(first, **other).run()


def test_extra_work_that_noise_hides_is_refused():
    """No share of it would make a slowdown, and a share below 0 would be none at all."""
    assert study.unit_share("check/a", [-0.1, 0.01, 0.02]) == pytest.approx(0.01)
    for shares in ([0.0], [-0.1, -0.01, 0.02]):
        with pytest.raises(NothingMeasuredError, match="check/a"):
            study.unit_share("check/a", shares)


def test_an_interrupted_pair_is_completed():
    """What it has already of some cases is not recorded twice."""
    cases = [Timed(case, {}) for case in CASES]
    done = pd.DataFrame({"pair": [1, 1, 2], "case": [*CASES[:2], CASES[0]]})
    assert [one.id for one in study.missing(cases, done, 1)] == list(CASES[2:])
    assert study.missing(cases, done, 3) == cases


def test_a_kept_study_is_read_back(tmp_path):
    """Its pairs and its facts are all that the simulated table needs; anything else is refused."""
    writer = records.open_run(tmp_path / "study")
    writer.append("pairs", made_up(sessions=2).to_dict("records"))
    writer.close()
    with pytest.raises(UsageError, match=study.FACTS):
        study.read_study(tmp_path / "study")
    write_json(tmp_path / "study" / study.FACTS, asdict(study.Facts(units={"a": 0.1})))
    pairs, facts = study.read_study(tmp_path / "study")
    assert (set(pairs["case"]), facts.units) == (set(CASES), {"a": 0.1})
