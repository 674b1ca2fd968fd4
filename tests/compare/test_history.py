"""The course of a metric: which runs belong to it, and which changes are steps."""

from __future__ import annotations

import math
import random
import shutil

import numpy as np
import pytest
from fakes import case, pair, write_run

from bench.compare.history import courses, steps
from bench.core.errors import UsageError
from bench.core.measures.static import STATIC
from bench.results import store as records
from bench.results.atomic import write_json

NAMES = [f"run-{i}" for i in range(20)]


def series(rng, *levels, noise=0.01):
    """Ten noisy values on each level."""
    return [level * (1 + rng.gauss(0, noise)) for level in levels for _ in range(10)]


def test_a_change_that_persists_is_a_step():
    """The step names the first run that shows it, and its size."""
    (step,) = steps(NAMES, series(random.Random(1), 1.0, 1.2))
    assert step.run == "run-10"
    assert step.ratio == pytest.approx(1.2, rel=0.02)


def test_one_bad_run_is_no_step():
    """A single outlier does not persist."""
    values = series(random.Random(2), 1.0, 1.0)
    values[7] = 3.0
    assert steps(NAMES, values) == []


def white(rng, count):
    """Independent runs."""
    return rng.normal(0, 0.01, count)


def autoregressive(rng, count):
    """AR(0.8): a machine that drifts."""
    noise = [rng.normal(0, 0.01)]
    while len(noise) < count:
        noise.append(0.8 * noise[-1] + rng.normal(0, 0.01 * math.sqrt(1 - 0.8**2)))
    return np.array(noise)


def two_modes(rng, count):
    """An allocator that gives each run one of two speeds, for all its life."""
    share = rng.choice([0.1, 0.3, 0.5])
    return np.where(rng.random(count) < share, math.log(1.18), 0) + rng.normal(0, 0.005, count)


def both(rng, count):
    """Drift and modes."""
    return autoregressive(rng, count) + two_modes(rng, count)


@pytest.mark.parametrize("noise", [white, autoregressive, two_modes, both])
def test_noise_is_seldom_a_step(noise):
    """Of 200 histories in which nothing changed, no more than 5 % show a step."""
    rng = np.random.default_rng(3)
    histories = [np.exp(noise(rng, rng.integers(10, 31))) for _ in range(200)]
    names = [f"run-{i}" for i in range(30)]
    assert sum(bool(steps(names[: len(h)], h.tolist())) for h in histories) <= 10


def test_a_step_of_six_times_the_noise_is_found():
    """Not at the price of the changes that matter."""
    rng = random.Random(4)
    found = [steps(NAMES, series(rng, 1.0, 1.06)) for _ in range(100)]
    assert sum([s.run for s in one] == ["run-10"] for one in found) >= 80


def test_few_runs_and_zeros_have_no_steps():
    """Too short a series says nothing of its noise, and zeros have no ratios."""
    assert steps(NAMES[:5], [1, 1, 1, 9, 9]) == []
    assert steps(NAMES[:8], [0.0] * 8) == []


def stored_runs(tmp_path, count):
    """Runs of both models, of which the first was on another machine, given newest first."""
    cases = pair()
    directories = []
    for number in range(count):
        directory = tmp_path / str(number)
        walls = {c.id: [[0.1 * (1 + number)] * 4] * 2 for c in cases}
        write_run(directory, cases, walls)
        environment = records.read_environment(directory)
        environment["run"]["started"] = f"2026-01-{number + 1:02d}T00:00:00Z"
        environment["run"]["id"] = str(number)
        if number == 0:
            environment["fingerprint"] = {**environment["fingerprint"], "id": "another"}
        write_json(directory / records.ENVIRONMENT, environment)
        directories.insert(0, directory)
    return directories


@pytest.mark.parametrize(
    ("fingerprint", "of_ratios"),
    [({"id": "another"}, ["0", "1", "2"]), ({"id": "another", "cpu": "another"}, ["1", "2"])],
)
def test_other_machines_runs_are_left_out(tmp_path, fingerprint, of_ratios):
    """Seconds go by the fingerprint, ratios by the processor; runs stand in order of start."""
    runs = stored_runs(tmp_path, 3)
    environment = records.read_environment(runs[-1])
    environment["fingerprint"] |= fingerprint
    write_json(runs[-1] / records.ENVIRONMENT, environment)
    found, notes = courses(runs, "latency")
    seconds = next(c for c in found if c.metric == "latency")
    ratio = next(c for c in found if c.metric == "latency / bert")
    assert list(seconds.runs) == ["1", "2"]
    assert list(ratio.runs) == of_ratios
    assert seconds.values == pytest.approx([0.2, 0.3], rel=1e-3)
    assert "another fingerprint" in notes[0]


def test_directories_that_are_no_runs_are_left_out_and_named(tmp_path):
    """`results/*/` has baselines and the gates' own files as well; one run left is too few."""
    runs = stored_runs(tmp_path, 2)
    (tmp_path / "baselines" / "main").mkdir(parents=True)
    found, notes = courses([*runs, tmp_path / "baselines"], "latency")
    assert {run for course in found for run in course.runs} == {"0", "1"}
    assert notes[0] == f"left out, being no runs: {tmp_path / 'baselines'}"
    with pytest.raises(UsageError, match="two runs or more: here are 1"):
        courses([runs[0], tmp_path / "baselines"], "latency")
    with pytest.raises(UsageError, match="no run at"):
        courses([*runs, tmp_path / "mistyped"], "latency")


def test_a_run_given_twice_counts_once(tmp_path):
    """A baseline is a copy of its run: one bad run and its copy would be a step."""
    runs = stored_runs(tmp_path, 2)
    copy = shutil.copytree(runs[0], tmp_path / "baseline")
    found, notes = courses([*runs, runs[1], copy], "latency")
    assert all(len(set(course.runs)) == len(course.runs) for course in found)
    assert notes[0] == f"left out, being the same run as {runs[0]}: {copy}"


def test_a_part_of_a_metric_has_a_course(tmp_path):
    """What stands in summary.csv can be asked for; it is as exact as its whole."""
    one = case(suite="parameters", measure=STATIC)
    for name in ("old", "new"):
        write_run(tmp_path / name, [one], measured={one.id: {"stored_parameters.encoder": [7.0]}})
        environment = records.read_environment(tmp_path / name)
        environment["run"]["id"] = environment["fingerprint"]["id"] = name
        write_json(tmp_path / name / records.ENVIRONMENT, environment)
    (course,), _ = courses([tmp_path / "old", tmp_path / "new"], "stored_parameters.encoder")
    assert course.values == [7.0, 7.0]


def test_wrong_metrics_and_lone_runs_are_one_clear_line(tmp_path):
    """What is asked for must exist, and one run has no course."""
    runs = stored_runs(tmp_path, 2)
    with pytest.raises(UsageError, match="no metric 'speed'"):
        courses(runs, "speed")
    with pytest.raises(UsageError, match="two runs"):
        courses(runs[:1], "latency")
    with pytest.raises(UsageError, match="none of these runs"):
        courses(runs, "cuda_peak_allocated_bytes")
