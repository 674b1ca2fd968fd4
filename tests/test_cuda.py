"""What only a CUDA device can show; without one these tests are skipped by name."""

from dataclasses import replace

import pytest
import torch
from fakes import case, job, pair

from bench.launch import ProcessLauncher
from bench.spec import Measure, Model
from bench.variant import Variant
from suites.models import MODELS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

PATIENCE_S = 300.0
BASE = next(m for m in MODELS if m.name == "bert-base-uncased")


def events(cases, **facts):
    """What a real worker says of these cases."""
    return list(ProcessLauncher().run(job(cases, **facts), PATIENCE_S))


def rows(told, event):
    """All rows of one kind of event."""
    return [row for one in told if one["event"] == event for row in one["rows"]]


def values(told):
    """Measured values by metric."""
    return {row["metric"]: row["value"] for row in rows(told, "measurements")}


def test_forwards_are_timed_by_the_device_and_the_host_beside_it():
    """Event times of a round fit into it; every forward has the host's time as well."""
    told = events(pair(device="cuda"), budget_s=0.5)
    samples = rows(told, "samples")
    assert all(row["wall_s"] > 0 and row["host_s"] > 0 for row in samples)
    lasted = {row["round"]: row["wall_s"] for row in rows(told, "rounds")}
    for number, wall_s in lasted.items():
        inside = sum(row["wall_s"] for row in samples if row["round"] == number)
        assert inside <= 1.05 * wall_s
    assert all(row["gpu_sm_hz"] is None or row["gpu_sm_hz"] > 1e8 for row in rows(told, "rounds"))


def test_the_cold_mode_runs_and_computes_the_same():
    """The flush belongs to no time, and the case is another one."""
    cold = [replace(one, variant=Variant(cache="cold-l2")) for one in pair(device="cuda")]
    told = events(cold, budget_s=0.5)
    assert values(told)["output_error"] < 1e-4
    assert rows(told, "samples")


@pytest.mark.parametrize(
    "variant",
    [Variant("bfloat16"), Variant("float16"), Variant(compile="reduce-overhead")],
    ids=str,
)
def test_a_variant_computes_what_the_reference_does(variant):
    """In 16 bits and as a CUDA graph."""
    told = events([replace(one, variant=variant) for one in pair(device="cuda")], budget_s=0.5)
    assert not [one for one in told if one["event"] == "failed"]
    assert values(told)["output_error"] < 0.1


def test_memory_is_the_allocators_and_this_processs():
    """The weights are a part of the peak, which the process's own memory holds with the context."""
    found = values(events([case("albert", measure=Measure.MEMORY, device="cuda", batch_size=8)]))
    peak = found["cuda_peak_allocated_bytes"]
    assert found["weight_bytes"] + found["peak_activation_bytes"] <= 1.05 * peak
    assert peak <= found["cuda_peak_reserved_bytes"]
    assert found.get("cuda_process_bytes", peak) >= peak


def test_out_of_memory_is_an_answer_of_the_allocator():
    """A limit that holds one batch and not a larger one."""
    one = case(BASE.name, measure=Measure.CAPACITY, device="cuda", seq_len=512)
    facts = {"models": (Model(BASE.name, BASE.source, BASE.architecture),), "memory_limit": 10**9}
    facts["sources"] = {BASE.name: job([case()]).sources["bert"]}
    assert values(events([one], **facts))["capacity_peak_bytes"] <= 10**9
    large = replace(one, workload=replace(one.workload, batch_size=512))
    (failed,) = [e for e in events([large], **facts) if e["event"] == "failed"]
    assert failed["status"] == "out-of-memory"
