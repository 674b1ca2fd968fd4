import dataclasses
import json
import shutil

import pytest
from fakes import (
    SOFTWARE,
    case,
    case_row,
    pair,
    run_environment,
    sample_rows,
    tiny_directory,
    write_run,
)

import bench.runner.prepare
from bench.core.architecture import Weights
from bench.core.axes import TORCH, Backend, Compile, Variant
from bench.core.case import Status
from bench.core.errors import UsageError
from bench.core.events import Packages, Software
from bench.plan.options import Options
from bench.results import store as records
from bench.runner.prepare import prepare
from bench.runner.resume import carry_over, processes_done, restore, whole_processes

ONE, OTHER = (c.id for c in pair())
EXPORTED = Variant(backend=Backend("onnxruntime"))
PACKAGES = (
    Packages(EXPORTED, "cpu", {"onnxruntime": "1.32.0", "onnx": "1.23.2"}),
    Packages(Variant(compile=Compile.DEFAULT), "cuda", {"triton": "3.9.0"}),
)


@pytest.fixture(autouse=True)
def software(monkeypatch):
    """What a probing worker process reports, without the process."""
    found = dict(SOFTWARE)
    monkeypatch.setattr(bench.runner.prepare, "probe", lambda *_: Software(found, PACKAGES))
    return found


@pytest.fixture
def options(tmp_path):
    """A plan for two tiny directories without weights."""
    paths = tuple(str(tiny_directory(tmp_path / "models", k)) for k in ("bert", "albert"))
    return Options(("latency",), models=paths, seq_lens=(8,), weights=Weights.RANDOM)


def started(directory, options):
    """A run that was prepared and then interrupted."""
    writer = records.open_run(directory)
    prepared = prepare(options)
    writer.write_environment(prepared.describe("a-run", "2026-01-01T00:00:00Z"))
    writer.close()
    return prepared


def test_random_weights_are_said_once(options):
    """One note names all models with random weights, and why they are."""
    (note,) = prepare(options).notes
    assert note.startswith("random weights for bert and albert (as asked)")


def test_pretrained_weights_need_no_note(tiny_models):
    """Where the checkpoints are there, nothing needs to be said."""
    options = Options(("latency",), models=tuple(map(str, tiny_models.values())), seq_lens=(8,))
    prepared = prepare(options)
    assert prepared.notes == ()
    assert {s.weights for s in prepared.sources.values()} == {"pretrained"}
    assert all(len(c.sha256) == 64 for c in prepared.checkpoints.values())


def test_cuda_is_measured_where_there_is_one(options, software):
    """Without --device every kind of device is measured; with it, only what was asked for."""
    any_device = dataclasses.replace(options, devices=())
    assert {c.device for c in prepare(any_device).cases} == {"cpu"}
    software["gpus"] = [{"name": "a gpu"}]
    assert {c.device for c in prepare(any_device).cases} == {"cpu", "cuda"}
    assert {c.device for c in prepare(options).cases} == {"cpu"}


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda", "torch 2.13.0 sees no CUDA"),
        ("cuda:3", "sees no CUDA"),
        ("tpu", "--device is 'tpu'"),
        ("cuda:", "--device is 'cuda:'"),
    ],
)
def test_a_device_that_is_not_there_is_an_error(options, device, words):
    """The message has the value and what can be used instead."""
    with pytest.raises(UsageError, match=words) as refused:
        prepare(dataclasses.replace(options, devices=(device,)))
    assert "cpu" in str(refused.value)


def test_packages_are_recorded_of_what_the_run_uses(options):
    """With their versions, in the software and the fingerprint; without any all is as ever."""
    plain = prepare(options).describe("x", "now")
    assert "packages" not in plain["software"]
    assert "packages" not in plain["fingerprint"]
    wanted = dataclasses.replace(
        options, axes={"backend": (TORCH, Backend("onnxruntime")), "compile": (Compile.NONE,)}
    )
    exported = prepare(wanted).describe("x", "now")
    assert exported["software"]["packages"] == PACKAGES[0].versions
    assert exported["fingerprint"]["packages"] == PACKAGES[0].versions
    assert exported["fingerprint"]["id"] != plain["fingerprint"]["id"]
    compiled = dataclasses.replace(options, axes={"compile": (Compile.DEFAULT,)})
    assert "packages" not in prepare(compiled).describe("x", "now")["software"]  # CUDA's alone


def test_a_description_is_json(options):
    """What stands in environment.json is plain data, with the plan and the options in it."""
    found = prepare(options).describe("x", "now")
    assert json.loads(json.dumps(found))["run"]["plan"][0]["model"] == "bert"


def test_a_run_is_restored_as_it_was(options, tmp_path):
    """Options, models, plan and kind of weights come back from environment.json."""
    before = started(tmp_path / "run", options)
    after, run = restore(tmp_path / "run")
    assert (after.options, after.cases, after.sources) == (
        before.options,
        before.cases,
        before.sources,
    )
    assert len(run.samples) == 0


def test_another_machine_is_refused(options, tmp_path, software):
    """A run is measured under one set of conditions or not at all."""
    started(tmp_path / "run", options)
    software["torch"] = "9.9"
    with pytest.raises(UsageError, match="cannot be resumed: the machine or the software changed"):
        restore(tmp_path / "run")


def test_another_plan_is_refused(options, tmp_path):
    """A suite that was edited in between has other cases."""
    started(tmp_path / "run", options)
    path = tmp_path / "run" / "environment.json"
    environment = json.loads(path.read_text())
    environment["run"]["plan"].pop()
    path.write_text(json.dumps(environment))
    with pytest.raises(UsageError, match="cannot be resumed: the plan changed"):
        restore(tmp_path / "run")


def test_another_checkpoint_is_refused(tiny_models, tmp_path):
    """Even when no case has ended yet: half of a run with other weights is no run."""
    copies = [str(shutil.copytree(path, tmp_path / kind)) for kind, path in tiny_models.items()]
    started(tmp_path / "run", Options(("latency",), models=tuple(copies), seq_lens=(8,)))
    restore(tmp_path / "run")
    weights = tmp_path / "bert" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x77")
    with pytest.raises(UsageError, match="cannot be resumed: a checkpoint changed"):
        restore(tmp_path / "run")


@pytest.mark.parametrize(
    "change", [{"options": {}}, {"options": {"nonsense": 1}}, {"plan": [{"model": "x"}]}]
)
def test_an_unusable_environment_is_refused(options, tmp_path, change):
    """One that another version wrote, or a hand, is one clear line."""
    started(tmp_path / "run", options)
    path = tmp_path / "run" / "environment.json"
    environment = json.loads(path.read_text())
    environment["run"] |= change
    path.write_text(json.dumps(environment))
    with pytest.raises(UsageError, match=r"cannot be resumed|was not written by this tool"):
        restore(tmp_path / "run")


def test_a_repeat_without_its_partner_is_dropped(tmp_path):
    """Samples of one model that were not interleaved with the other's cannot be paired."""
    run = write_run(tmp_path / "run", pair(), {ONE: [[1.0], [1.0]], OTHER: [[2.0]]})
    whole = whole_processes(dataclasses.replace(run, cases=run.cases.iloc[:0]))
    assert set(whole.samples["process"]) == {1}
    assert processes_done(whole) == {ONE: {1}, OTHER: {1}}


def test_a_failed_partner_does_not_void_a_process(tmp_path):
    """A group goes on without the model that failed, and keeps what it has."""
    run = write_run(tmp_path / "run", pair(), {ONE: [[1.0], [1.0]]}, failed=[OTHER])
    assert processes_done(whole_processes(run)) == {ONE: {1, 2}}


def test_other_workloads_keep_their_repeats(tmp_path):
    """Only the group that was cut short loses its last process."""
    eight = pair(seq_len=8)
    walls = {ONE: [[1.0], [1.0]], OTHER: [[1.0]], **{c.id: [[1.0], [1.0]] for c in eight}}
    whole = whole_processes(write_run(tmp_path / "run", [*pair(), *eight], walls))
    assert processes_done(whole) == {ONE: {1}, OTHER: {1}, **{c.id: {1, 2} for c in eight}}


def test_measured_values_need_no_partner(tmp_path):
    """Memory of one model is whole by itself."""
    one = case(suite="memory")
    run = write_run(tmp_path / "run", [one], measured={one.id: {"peak_rss_bytes": [1, 2]}})
    assert processes_done(whole_processes(run)) == {one.id: {1, 2}}


def test_values_of_a_timed_case_are_whole_with_its_samples_only(tmp_path):
    """What was read beside samples that never arrived is measured again with them."""
    measured = {c.id: {"load_average": [1.0]} for c in pair()}
    run = write_run(tmp_path / "run", pair(), measured=measured)
    whole = whole_processes(run)
    assert whole.measurements.empty
    assert processes_done(whole) == {}


def test_a_finished_case_that_lost_a_repeat_is_open_again(tmp_path):
    """Its group is measured again where it is not whole; what ended with a reason stays ended."""
    cases = [*pair(), *pair(seq_len=8)]
    walls = {ONE: [[1.0], [1.0]], OTHER: [[1.0]], **{c.id: [[1.0], [1.0]] for c in cases[2:]}}
    writer = records.open_run(tmp_path / "run")
    writer.write_environment(run_environment([*cases, case(seq_len=4)]))
    rows = [{**case_row(c), "processes": 2} for c in cases]
    writer.append("cases", [*rows, case_row(case(seq_len=4), Status.KILLED, "by the kernel")])
    for name, processes in walls.items():
        for process, seconds in enumerate(processes, start=1):
            writer.append_batch("samples", name, process, sample_rows(seconds))
    done, processes = carry_over(whole_processes(records.read_run(writer.directory)), writer)
    writer.close()
    eight = [c.id for c in cases[2:]]
    assert done == {**dict.fromkeys(eight, Status.OK), case(seq_len=4).id: Status.KILLED}
    assert processes == {ONE: {1}, OTHER: {1}, **{c: {1, 2} for c in eight}}
    assert set(records.read_run(tmp_path / "run").cases["case"]) == set(done)
