"""What only a CUDA device can show; without one these tests are skipped by name."""

from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
import torch
from fakes import bench, case, job, of, pair, python, tiny_directory, values

from bench.checks.crosscheck import Untimed, agreements
from bench.core.architecture import Model
from bench.core.axes import REFERENCE, Variant
from bench.core.case import Measure, Status
from bench.core.events import Failed, Phase, Rounds, Samples
from bench.results.store import read_run
from bench.runner.process import ProcessLauncher
from bench.stats.summary import summarise
from bench.worker.device import gpu_of
from suites.models import MODELS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

PATIENCE_S = 300.0
BASE = next(m for m in MODELS if m.name == "bert-base-uncased")


def events(cases, **facts):
    """What a real worker says of these cases."""
    return list(ProcessLauncher().run(job(cases, **facts), PATIENCE_S))


def rows(told, kind):
    """All rows of one kind of event."""
    return [row for one in of(kind, told) for row in one.rows]


def test_forwards_are_timed_by_the_device_and_the_host_beside_it():
    """Event times of a round fit into it; every forward has the host's time as well."""
    told = events(pair(device="cuda"), budget_s=0.5)
    samples = rows(told, Samples)
    assert all(row.wall_s > 0 and row.host_s > 0 for row in samples)
    lasted = {row["round"]: row["wall_s"] for row in rows(told, Rounds)}
    for number, wall_s in lasted.items():
        inside = sum(row.wall_s for row in samples if row.round == number)
        assert inside <= 1.05 * wall_s
    assert all(row["gpu_sm_hz"] is None or row["gpu_sm_hz"] > 1e8 for row in rows(told, Rounds))


def test_the_cold_mode_runs_and_computes_the_same():
    """The flush belongs to no time, and the case is another one."""
    cold = [replace(one, variant=Variant(cache="cold-l2")) for one in pair(device="cuda")]
    told = events(cold, budget_s=0.5)
    assert values(told)["output_error"] < 1e-4
    assert rows(told, Samples)


@pytest.mark.parametrize(
    "variant",
    [Variant("bfloat16"), Variant("float16"), Variant(compile="reduce-overhead")],
    ids=str,
)
def test_a_variant_computes_what_the_reference_does(variant):
    """In 16 bits and as a CUDA graph."""
    told = events([replace(one, variant=variant) for one in pair(device="cuda")], budget_s=0.5)
    assert not of(Failed, told)
    assert values(told)["output_error"] < 0.1


def test_memory_is_the_allocators_and_this_processs():
    """The weights are a part of the peak, which the process's own memory holds with the context."""
    found = values(events([case("albert", measure=Measure.MEMORY, device="cuda", batch_size=8)]))
    peak = found["cuda_peak_allocated_bytes"]
    assert found["weight_bytes"] + found["peak_activation_bytes"] <= 1.05 * peak
    assert peak <= found["cuda_peak_reserved_bytes"]
    assert found.get("cuda_process_bytes", peak) >= peak


PLAIN = """
import torch, transformers
from bench.core.architecture import config_arguments
from fakes import TINY
arguments = config_arguments(TINY["albert"])
config = transformers.AutoConfig.for_model("albert", **arguments)
module = transformers.AutoModel.from_config(config).eval().to("cuda")
ids = torch.zeros(8, 16, dtype=torch.long, device="cuda")
inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
with torch.inference_mode():
    module(**inputs)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    module(**inputs)
    torch.cuda.synchronize()
print(torch.cuda.max_memory_allocated())
"""


def test_the_peak_is_that_of_a_plain_script_to_the_byte():
    """Written without anything of ours but the sizes of the model."""
    one = case("albert", measure=Measure.MEMORY, device="cuda", batch_size=8)
    plain = python("-c", PLAIN, cwd=Path(__file__).parents[1] / "support")
    assert plain.returncode == 0, plain.stderr
    assert values(events([one]))["cuda_peak_allocated_bytes"] == int(plain.stdout)


def test_device_times_are_those_of_a_plain_loop_of_events():
    """At batch 1 and 32, within 2 percent; a machine too noisy to tell is no disagreement."""
    found = list(agreements([BASE], (REFERENCE, Variant("float16")), "cuda", threads=1))
    assert {one.workload.batch_size for one in found} == {1, 32}
    assert not [one for one in found if isinstance(one, Untimed)]
    assert not [one for one in found if not (one.holds or one.is_noise)]


def test_energy_and_host_time_are_told_and_a_tiny_model_is_bound_by_launches(tmp_path):
    """Of two layers of 32 the device has next to nothing to do."""
    done = bench(
        *("run", "latency", "--model", tiny_directory(tmp_path, "bert"), "--device", "cuda"),
        *("--seq-len", 8, "--batch-size", 1, "--repeats", 2, "--budget", 1, "--output", "run"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "is bound by launches at batch 1, 8 tokens" in done.stdout
    summary = summarise(read_run(tmp_path / "run")).set_index("metric")["value"]
    assert summary["host_time"] > 0
    assert "cpu_time" not in summary
    if gpu_of("cuda").energy_j() is not None:
        assert summary["energy_per_sequence"] > 0


def test_a_cold_l2_is_never_faster_than_a_warm_one():
    """What was flushed is read from memory again."""
    medians = []
    for cache in ("warm", "cold-l2"):
        one = replace(case(device="cuda", batch_size=8), variant=Variant(cache=cache))
        samples = rows(events([one], budget_s=2.0), "samples")
        medians.append(median(r.wall_s for r in samples if r.phase is Phase.SAMPLE))
    assert medians[1] >= 0.95 * medians[0]


def test_out_of_memory_is_an_answer_of_the_allocator():
    """A limit that holds one batch and not a larger one."""
    one = case(BASE.name, measure=Measure.CAPACITY, device="cuda", seq_len=512)
    facts = {"models": (Model(BASE.name, BASE.source, BASE.architecture),), "memory_limit": 10**9}
    facts["sources"] = {BASE.name: job([case()]).sources["bert"]}
    assert values(events([one], **facts))["capacity_peak_bytes"] <= 10**9
    large = replace(one, workload=replace(one.workload, batch_size=512))
    (failed,) = of(Failed, events([large], **facts))
    assert failed.status is Status.OUT_OF_MEMORY
