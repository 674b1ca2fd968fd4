"""The exact gate end to end: a baseline from a real run, counted again in real workers."""

from __future__ import annotations

import json

import pytest
from fakes import bench, tiny_directory

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("share_workers")]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A directory with a baseline of two tiny models, and those models."""
    root = tmp_path_factory.mktemp("exact")
    models = [tiny_directory(root / "models", kind) for kind in ("bert", "albert")]
    chosen = [argument for model in models for argument in ("--model", model)]
    done = bench(
        "run", "parameters", *chosen, "--weights", "random", "--seq-len", "16",
        "--output", root / "results" / "first", cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = bench("baseline", root / "results" / "first", "--name", "main", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


def check(root):
    """The exact gate's findings and exit code."""
    done = bench("check", "--baseline", "main", "--format", "json", cwd=root)
    return done.returncode, json.loads(done.stdout)["findings"]


def test_the_same_code_counts_the_same(kept):
    """Nothing differs, in fresh processes."""
    code, findings = check(kept)
    assert code == 0
    assert {f["verdict"] for f in findings} == {"equal"}
    assert {"operators", "flops_counted", "stored_parameters"} <= {f["metric"] for f in findings}


def test_one_layer_more_is_found_with_old_and_new_value(kept):
    """A changed architecture fails the gate, and only for the model that changed."""
    config = kept / "models" / "bert" / "config.json"
    before = config.read_text(encoding="utf-8")
    config.write_text(json.dumps({**json.loads(before), "num_hidden_layers": 3}), encoding="utf-8")
    try:
        code, findings = check(kept)
    finally:
        config.write_text(before, encoding="utf-8")
    assert code == 1
    changed = [f for f in findings if f["verdict"] == "changed"]
    assert {f["case"].split("/")[1] for f in changed} == {"bert"}
    stored = next(f for f in changed if f["metric"] == "stored_parameters")
    assert stored["candidate"] > stored["baseline"]


def test_a_model_that_is_gone_is_missing(kept):
    """Its cases fail the gate; the other model's are counted all the same."""
    config = kept / "models" / "albert" / "config.json"
    aside = config.rename(config.with_suffix(".aside"))
    try:
        code, findings = check(kept)
    finally:
        aside.rename(config)
    assert code == 1
    assert [f["case"].split("/")[1] for f in findings if f["verdict"] == "missing"] == ["albert"]
    assert "equal" in {f["verdict"] for f in findings}


def test_a_baseline_of_suites_that_are_named_is_counted_again(tmp_path):
    """Only what is exact is measured again, and what takes a clock is not missed."""
    model = tiny_directory(tmp_path, "bert")
    done = bench(
        "run", "parameters", "scaling", "--model", model, "--weights", "random", "--seq-len", "16",
        "--batch-size", "1", "--repeats", "1", "--budget", "0.2", "--threads", "2",
        "--output", tmp_path / "results" / "first", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = bench("baseline", tmp_path / "results" / "first", "--name", "main", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    code, findings = check(tmp_path)
    assert code == 0
    assert {f["verdict"] for f in findings} == {"equal"}
    assert {f["case"].split("/")[0] for f in findings} == {"parameters"}
