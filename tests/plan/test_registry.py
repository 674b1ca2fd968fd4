import json
import re
import sys
from pathlib import Path
from runpy import run_path

import pytest
from fakes import TINY, tiny_directory

import suites
from bench.core.errors import UsageError
from bench.core.measures import all_measures
from bench.core.measures.verify import VERIFY
from bench.plan.registry import all_suites, pick_models, pick_suites, read_architecture
from suites.models import ALBERT_BASE, BERT_BASE, MODELS


def test_the_suites_are_there_timed_ones_last():
    """Timing comes last, since it takes whatever time is left."""
    suites = list(all_suites().values())
    assert {"parameters", "memory", "latency", "throughput"} <= {s.name for s in suites}
    timed = [s.measure.timed for s in suites]
    assert timed == sorted(timed)


def test_suites_come_in_the_order_they_are_named():
    """Named twice is named once; no name means those that answer the main question."""
    assert [s.name for s in pick_suites(["memory", "latency", "memory"])] == ["memory", "latency"]
    usual = ["parameters", "cold_start", "memory", "latency", "throughput"]
    assert [s.name for s in pick_suites([])] == usual
    assert {"variants", "scaling", "text"} <= set(all_suites())


def test_an_unknown_suite_is_named_with_the_known_ones():
    """A typo is answered with what can be had."""
    with pytest.raises(UsageError, match=r"no suite 'latncy': choose from .*latency"):
        pick_suites(["latncy"])


def test_a_file_makes_a_suite(tmp_path, monkeypatch):
    """A module in the `suites` package is all it takes to add one."""
    (tmp_path / "warmth.py").write_text(
        "from bench.core.measures.forward import FORWARD\n"
        "from bench.core.suite import Grid, Suite\n"
        'SUITE = Suite("warmth", "How warm", FORWARD, {"quick": Grid((1,), (8,))})\n'
    )
    (tmp_path / "helper.py").write_text("")
    monkeypatch.setattr(suites, "__path__", [*suites.__path__, str(tmp_path)])
    try:
        assert [s.name for s in pick_suites(["warmth"])] == ["warmth"]
        assert "warmth" in all_suites()
    finally:
        for name in ("suites.warmth", "suites.helper"):
            sys.modules.pop(name, None)


def test_two_suites_of_one_name_are_refused(tmp_path, monkeypatch):
    """A copied suite that keeps its name must not silently replace the first."""
    (tmp_path / "twin.py").write_text("from suites.latency import SUITE\n")
    monkeypatch.setattr(suites, "__path__", [*suites.__path__, str(tmp_path)])
    try:
        with pytest.raises(UsageError, match="two suites are called 'latency'"):
            all_suites()
    finally:
        sys.modules.pop("suites.twin", None)


def test_bert_and_albert_are_measured_by_default():
    """The first is the reference, and both are pinned to a commit."""
    models = pick_models([])
    assert [m.architecture for m in models] == [BERT_BASE, ALBERT_BASE]
    assert all(len(m.revision) == 40 for m in models)


def test_a_registered_model_is_known_by_its_hub_id_too():
    """Its facts and its short name come with it."""
    assert pick_models(["albert/albert-base-v2"]) == pick_models(["albert-base-v2"])


@pytest.mark.parametrize("name", ["owner/name", "name", "a.b-c_d/E.f"])
def test_any_hub_id_is_a_model(name):
    """Its architecture is known once it has been fetched."""
    (model,) = pick_models([name])
    assert (model.name, model.source, model.architecture) == (name, name, None)


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "./nowhere", "/nowhere", "white space", "-x", "a//b"]
)
def test_what_is_no_model_is_refused(name):
    """The message has the value and the three ways to name a model."""
    with pytest.raises(UsageError, match=r"no model .*bert-base-uncased.*config.json.*hub id") as e:
        pick_models([name])
    assert repr(name) in str(e.value)


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_a_directory_is_a_model(tmp_path, kind):
    """It is called after the directory, and its facts are read from its config.json."""
    directory = tiny_directory(tmp_path, kind)
    (model,) = pick_models([str(directory)])
    assert (model.name, model.source) == (kind, str(directory))
    found, known = model.architecture, TINY[kind]
    assert (found.shares_layers, found.projects_embeddings) == (
        known.shares_layers,
        known.projects_embeddings,
    )
    assert (found.layers, found.hidden_size, found.max_tokens, found.activation) == (
        known.layers,
        known.hidden_size,
        known.max_tokens,
        known.activation,
    )


def test_a_relative_directory_is_a_model(tmp_path, monkeypatch):
    """What is there on this disk comes before what could be on the hub."""
    tiny_directory(tmp_path, "bert")
    monkeypatch.chdir(tmp_path)
    assert pick_models(["bert"])[0].source == str(tmp_path / "bert")


def test_two_directories_of_one_name_are_refused(tmp_path):
    """Rows of two models must not carry the same name."""
    paths = [str(tiny_directory(tmp_path / part, "bert")) for part in ("a", "b")]
    with pytest.raises(UsageError, match="two models are called 'bert'"):
        pick_models(paths)


def test_roberta_takes_two_tokens_fewer_than_it_has_positions(tmp_path):
    """Its first two positions are kept for padding."""
    directory = tiny_directory(tmp_path, "bert", model_type="roberta", max_position_embeddings=514)
    assert read_architecture(directory).max_tokens == 512


def test_an_unknown_model_type_has_no_facts(tmp_path):
    """It can be measured, but nothing is claimed about it."""
    assert read_architecture(tiny_directory(tmp_path, "bert", model_type="mamba")) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a transformers config"),
        ("[]", "not a transformers config"),
        ("{}", "not a transformers config"),
        (json.dumps({"model_type": "bert"}), "hidden_size"),
        (json.dumps({"model_type": "bert", "hidden_size": "wide"}), "wide"),
        (json.dumps({"model_type": "bert", "hidden_size": None}), "lacks a usable value"),
    ],
)
def test_an_unusable_config_is_named(tmp_path, text, words):
    """The message names the file and what is wrong with it."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UsageError, match=rf"config\.json.*{words}"):
        pick_models([str(tmp_path)])


ROOM = Path(__file__).parents[2] / "suites"


def test_what_the_readme_adds_works_as_it_stands_there(tmp_path):
    """Its line of a model in the file of models, and its file of a suite."""
    readme = (ROOM / "README.md").read_text(encoding="utf-8")
    line, suite = re.findall(r"```\w*\n(.*?)```", readme, re.DOTALL)
    listed = (ROOM / "models.py").read_text(encoding="utf-8")
    (tmp_path / "models.py").write_text(listed.replace("MODELS = (\n", f"MODELS = (\n{line}", 1))
    names = [model.name for model in run_path(str(tmp_path / "models.py"))["MODELS"]]
    assert len(names) == len(set(names)) == len(MODELS) + 1
    (tmp_path / "own.py").write_text(suite)
    assert run_path(str(tmp_path / "own.py"))["SUITE"].grid("quick").workloads()


def test_the_readme_of_suites_names_every_measure():
    """A suite can have each kind but the one that runs by itself."""
    readme = (ROOM / "README.md").read_text(encoding="utf-8")
    line = readme[readme.index("The measures are") :].partition("(see")[0]
    assert set(re.findall(r"`(\w+)`", line)) == {
        m.name.upper() for m in all_measures() if m != VERIFY
    }
