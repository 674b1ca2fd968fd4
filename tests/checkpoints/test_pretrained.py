"""`bench run --weights pretrained` end to end, in real processes, from hub to CSV files."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.checkpoints.validate import sha256
from bench.core.architecture import Model
from bench.core.axes import Variant
from bench.core.case import Workload
from bench.core.errors import BenchError
from bench.plan.registry import pick_models
from bench.worker.loading import load, make_inputs
from bench.worker.measures.verify import check_same, output

MODELS = pick_models(())

SMALL = ("--batch-size", "1", "--seq-len", "8", "--threads", "1", "--repeats", "1")
MB = 1_000_000


def rows(run: Path, table: str) -> list[dict[str, str]]:
    """A table of a run, as text."""
    with (run / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def values(run: Path, metric: str) -> dict[str, float]:
    """A metric of a run, by model."""
    return {r["model"]: float(r["value"]) for r in rows(run, "summary") if r["metric"] == metric}


@pytest.fixture
def served(hub, full_size):
    """A hub with both real models, full-size, at the commits that the registry pins."""
    for model, kind in zip(MODELS, ("bert", "albert"), strict=True):
        hub.add(model.source, full_size[kind], commit=model.revision)
    return hub


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
@pytest.mark.usefixtures("served")
@pytest.mark.extended
def test_a_run_downloads_verifies_and_measures_both_real_models(bench, full_size, tmp_path):
    """Commit, size and hash stand in cases.csv; loading holds one copy; fill-masks are shown."""
    run = tmp_path / "run"
    suites = ("memory", "cold_start")
    done = bench("run", *suites, "--weights", "pretrained", *SMALL, "--output", str(run))
    assert done.returncode == 0, done.stderr + done.stdout
    files = {
        m.name: full_size[k] / "model.safetensors" for m, k in zip(MODELS, full_size, strict=True)
    }
    for row in rows(run, "cases"):
        model = next(m for m in MODELS if m.name == row["model"])
        assert (row["weights"], row["status"]) == ("pretrained", "ok")
        assert row["revision"] == model.revision
        assert int(float(row["checkpoint_bytes"])) == files[model.name].stat().st_size
        assert row["checkpoint_sha256"] == sha256([files[model.name]])
    weight_bytes = values(run, "weight_bytes")
    assert weight_bytes == {
        "bert-base-uncased": 4 * 109_482_240,
        "albert-base-v2": 4 * 11_683_584,
    }
    # Loading maps the file, so its pages count when the first forward reads them: both peaks.
    for when in ("load_peak_rss_bytes", "peak_rss_bytes"):
        for model, peak in values(run, when).items():
            assert peak <= 1.3 * weight_bytes[model] + 100 * MB, (when, model)
    steps = ("cold_import", "cold_weights", "first_forward")
    for model, whole in values(run, "cold_start").items():
        assert whole == pytest.approx(sum(values(run, step)[model] for step in steps))
    sanity = json.loads((run / "environment.json").read_text())["sanity"]
    assert list(sanity) == [m.name for m in MODELS]
    for sentences in sanity.values():
        assert [len(s["predictions"]) for s in sentences] == [5, 5]
        assert all("[MASK]" in s["text"] for s in sentences)
    assert "downloading model.safetensors (440.4 MB)" in done.stderr


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
def test_a_cold_start_needs_a_checkpoint_to_read(bench):
    """Without a hub there is none: the error says so, and why weights would be random."""
    done = bench("run", "cold_start", *SMALL, HF_ENDPOINT="http://hub.invalid")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "cold start of bert-base-uncased and albert-base-v2 left out" in line
    assert "http://hub.invalid cannot be reached" in line


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
def test_pretrained_without_a_hub_is_one_line(bench):
    """Nothing is measured with other weights than those asked for."""
    done = bench("run", "--weights", "pretrained", HF_ENDPOINT="http://hub.invalid")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("bench: no pretrained weights for bert-base-uncased: ")
    assert "--weights random" in line


def broken(source: Path, to: Path, **changed: object) -> Path:
    """A copy of a checkpoint with tensors removed (None) or replaced."""
    shutil.copytree(source, to)
    weights = load_file(to / "model.safetensors")
    for name, tensor in changed.items():
        if tensor is None:
            del weights[name]
        else:
            weights[name] = tensor
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return to


@pytest.mark.usefixtures("share_workers")
@pytest.mark.process
def test_a_checkpoint_without_its_pooler_ends_the_run_before_it_begins(
    bench, hub, home, tiny, tmp_path
):
    """Made-up weights are refused with the tensor's name; a whole checkpoint then works."""
    lacking = broken(tiny["albert"], tmp_path / "lacking", **{"albert.pooler.weight": None})
    hub.add("org/tiny", lacking)
    done = bench("run", "parameters", "--model", "org/tiny", *SMALL)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("bench: wrong weights: ")
    assert "pooler.weight" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "results").iterdir())
    whole = hub.add("org/tiny", tiny["albert"])
    again = bench("fetch", "org/tiny")
    assert whole[:12] in again.stdout
    (cached,) = home.rglob(f"snapshots/{whole}")
    load(Model("tiny", "org/tiny"), Variant(), cached, "cpu", random=False)


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_a_tensor_of_another_shape_is_named_with_both_shapes(tiny, tmp_path, kind):
    """What transformers would make up is an error here."""
    weights = load_file(tiny[kind] / "model.safetensors")
    name = next(n for n in weights if n.endswith(("query.weight",)))
    wrong = broken(tiny[kind], tmp_path / "wrong", **{name: weights[name][:8].clone()})
    with pytest.raises(BenchError, match=r"does not fit its config: .*query.weight is \[8, 16\]"):
        load(Model("wrong", str(wrong)), Variant(), wrong, "cpu", random=False)


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_a_whole_checkpoint_loads(tiny, kind):
    """Tensors that the base model does not need are no reason to refuse a checkpoint."""
    module = load(Model(kind, str(tiny[kind])), Variant(), tiny[kind], "cpu", random=False)
    assert not module.training


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_one_bit_of_one_weight_shows_in_the_output(tiny, kind):
    """The comparison with the plain call is as fine as the numbers themselves."""
    module = load(Model(kind, str(tiny[kind])), Variant(), tiny[kind], "cpu", random=False)
    inputs = make_inputs(module, Workload(2, 16), "cpu", seed=0)
    before = output(module, inputs)
    check_same(kind, before, output(module, inputs))
    with torch.no_grad():
        weight = next(p for n, p in module.named_parameters() if n.endswith("query.weight"))
        bits = weight[0].view(torch.int32)
        bits[bits.abs().argmax()] ^= 1 << 20  # one bit of one number
    with pytest.raises(BenchError, match=r"another output than AutoModel\.from_pretrained"):
        check_same(kind, before, output(module, inputs))


def test_an_output_that_is_no_number_is_never_the_same():
    """Two models that both give NaN have not been shown to be right."""
    nan = torch.tensor([1.0, torch.nan])
    with pytest.raises(BenchError, match="largest difference nan"):
        check_same("model", nan, nan)
