"""What only a CUDA device can show; without one these tests are skipped by name.

The only tests that assert times: here what a device takes is what is tested.
"""

import math
import random
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

import pytest
import torch
from fakes import RANDOM, bench, case, job, of, pair, python, tiny_directory, values

from bench.core.axes import Cache, Compile, Dtype, Variant
from bench.core.case import Status, Workload
from bench.core.events import Failed, Phase, Rounds, Samples
from bench.core.measures.capacity import CAPACITY
from bench.core.measures.memory import MEMORY
from bench.results.store import read_run
from bench.runner.process import ProcessLauncher
from bench.stats.summary import summarise
from bench.worker.device import device_clock, gpu_of
from bench.worker.energy import per_forward_j
from bench.worker.l2_flush import flusher
from bench.worker.loading import bind, load
from bench.worker.sampler import Limits, Sampler
from suites.models import MODELS

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

PATIENCE_S = 300.0
BASE = {m.name: m for m in MODELS if m.name in ("bert-base-uncased", "albert-base-v2")}
BERT = BASE["bert-base-uncased"]
SOURCES = dict.fromkeys(BASE, RANDOM)
ROUNDS = 10
FORWARDS = 20
"""Timed by each way in a round; medians of both are compared round by round."""
COLD = Variant(cache=Cache.COLD)
GRAPH = Variant(compile=Compile.REDUCE_OVERHEAD)
PLAIN_VARIANTS = (Variant(), COLD, Variant(Dtype.BFLOAT16), Variant(Dtype.FLOAT16))


def events(cases, **facts):
    """What a real worker says of these cases."""
    return list(ProcessLauncher().run(job(cases, **facts), PATIENCE_S))


def base_events(cases, **facts):
    """The same of full-size models."""
    return events(cases, models=tuple(BASE.values()), sources=SOURCES, **facts)


def rows(told, kind):
    """All rows of one kind of event."""
    return [row for one in of(kind, told) for row in one.rows]


def times(told, case_id):
    """Seconds of the samples of a case, by round."""
    found = {}
    for one in of(Samples, told):
        if one.case == case_id:
            for row in one.rows:
                if row.phase is Phase.SAMPLE:
                    found.setdefault(row.round, []).append(row.wall_s)
    return found


def all_cases():
    """Both tiny models in every variant that nothing is compiled for."""
    return [replace(one, variant=v) for v in PLAIN_VARIANTS for one in pair(device="cuda")]


@pytest.fixture(scope="module")
def told():
    """What one worker says of all cases."""
    return events(all_cases(), budget_s=0.5)


@pytest.fixture(scope="module")
def forward():
    """Forwards of a full-size BERT by batch size, at 128 tokens, in float32."""
    module = load(BERT, Variant(), None, "cuda", random=True)
    with torch.inference_mode():
        yield {size: bind(module, Workload(size, 128), "cuda", 0) for size in (1, 32)}


def test_forwards_are_timed_by_the_device_and_the_host_beside_it(told):
    """Event times of a round fit into it; every forward has the host's time as well."""
    samples = rows(told, Samples)
    assert all(row.wall_s > 0 and row.host_s > 0 for row in samples)
    assert all(row["gpu_sm_hz"] is None or row["gpu_sm_hz"] > 1e8 for row in rows(told, Rounds))
    for group in of(Rounds, told):
        lasted = {row["round"]: row["wall_s"] for row in group.rows}
        inside = dict.fromkeys(lasted, 0.0)
        ids = {c.id for c in all_cases() if c.group == group.group}
        for one in of(Samples, told):
            for row in one.rows if one.case in ids else ():
                if row.round in inside:
                    inside[row.round] += row.wall_s
        assert all(inside[number] <= 1.05 * lasted[number] for number in lasted)


@pytest.mark.parametrize("variant", PLAIN_VARIANTS, ids=str)
def test_a_variant_computes_what_the_reference_does(told, variant):
    """In 16 bits, and with an L2 that is emptied before each forward."""
    assert not of(Failed, told)
    for one in pair(device="cuda"):
        name = replace(one, variant=variant).id
        assert values(told, name)["output_error"] < (
            1e-4 if variant.dtype == Dtype.FLOAT32 else 0.1
        )
        assert times(told, name)


def test_a_cold_l2_is_never_faster_than_a_warm_one(told):
    """What was flushed is read from memory again."""
    warm, cold = (
        median(t for block in times(told, replace(c, variant=v).id).values() for t in block)
        for c in pair(device="cuda")[:1]
        for v in (Variant(), COLD)
    )
    assert cold >= 0.95 * warm


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("other", ["events", "do_bench"])
def test_device_times_are_those_of_other_ways_to_time(forward, batch_size, other):
    """Within 2 percent, in turn, of a plain loop of events and, with an L2 as cold, of Triton's."""
    run = forward[batch_size]
    theirs = plain_events if other == "events" else pytest.importorskip("triton.testing").do_bench
    cold = replace(case(device="cuda"), variant=COLD)
    before = {} if other == "events" else {"": flusher(cold)}
    sampler = Sampler(device_clock("cuda"), random.Random(0), Limits(0.0, 0.0), before=before)
    sampler.warm_up("", run)
    logs = []
    for number in range(ROUNDS):
        found = {}
        for who in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            if who == "ours":
                found[who] = median(sampler.time(run, FORWARDS))
            elif other == "events":
                found[who] = theirs(run)
            else:
                found[who] = theirs(run, warmup=5, rep=100, return_mode="median") * 1e-3
        logs.append(math.log(found["ours"] / found["theirs"]))
    assert abs(median(logs)) < 0.02, logs


def plain_events(run):
    """Seconds of a forward by a loop of events, written without anything of ours."""
    begins, ends = (
        [torch.cuda.Event(enable_timing=True) for _ in range(FORWARDS)] for _ in range(2)
    )
    for begin, end in zip(begins, ends, strict=True):
        begin.record()
        run()
        end.record()
    torch.cuda.synchronize()
    return median(b.elapsed_time(e) for b, e in zip(begins, ends, strict=True)) * 1e-3


def test_a_model_against_itself_has_a_ratio_of_one():
    """Within half a percent, of two copies of it that take turns."""
    models = tuple(replace(BERT, name=name) for name in ("one", "other"))
    cases = [case(m.name, device="cuda", batch_size=32, seq_len=128) for m in models]
    sources = {m.name: RANDOM for m in models}
    told = events(cases, models=models, sources=sources, budget_s=4.0, precision=1e-4)
    one, other = (times(told, c.id) for c in cases)
    logs = [math.log(median(other[n]) / median(one[n])) for n in one]
    assert len(logs) > ROUNDS
    assert abs(median(logs)) < 0.005, logs


@pytest.fixture(scope="module")
def memory():
    """Metrics of the memory of each full-size model at batch 8, 128 tokens."""
    ask = {"measure": MEMORY, "device": "cuda", "batch_size": 8, "seq_len": 128}
    return {name: values(base_events([case(name, **ask)])) for name in BASE}


PLAIN = """
import gc, torch, transformers
from bench.core.architecture import config_arguments
from suites.models import ALBERT_BASE, BERT_BASE
for arch in (BERT_BASE, ALBERT_BASE):
    config = transformers.AutoConfig.for_model(arch.model_type, **config_arguments(arch))
    module = transformers.AutoModel.from_config(config).eval().to("cuda")
    ids = torch.zeros(8, 128, dtype=torch.long, device="cuda")
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.inference_mode():
        module(**inputs)
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        module(**inputs)
        torch.cuda.synchronize()
    print(torch.cuda.max_memory_allocated())
    del module, ids, inputs
    gc.collect()
"""


def test_the_peak_is_that_of_a_plain_script_to_the_byte(memory):
    """Written without anything of ours but the sizes of the models."""
    plain = python("-c", PLAIN, cwd=Path(__file__).parent)
    assert plain.returncode == 0, plain.stderr
    peaks = [int(line) for line in plain.stdout.split()]
    assert [memory[name]["cuda_peak_allocated_bytes"] for name in BASE] == peaks


def test_memory_is_the_allocators_and_this_processs(memory):
    """The weights are a part of the peak, which the process's own memory holds with the context."""
    for found in memory.values():
        peak = found["cuda_peak_allocated_bytes"]
        assert found["weight_bytes"] + found["peak_activation_bytes"] <= 1.05 * peak
        assert peak <= found["cuda_peak_reserved_bytes"]
        assert found.get("cuda_process_bytes", peak) >= peak


def test_out_of_memory_is_an_answer_of_the_allocator():
    """A limit that holds one batch and not a larger one."""
    one = case(BERT.name, measure=CAPACITY, device="cuda", seq_len=512)
    assert values(base_events([one], memory_limit=10**9))["capacity_peak_bytes"] <= 10**9
    large = replace(one, workload=replace(one.workload, batch_size=512))
    (failed,) = of(Failed, base_events([large], memory_limit=10**9))
    assert failed.status is Status.OUT_OF_MEMORY


def test_a_cuda_graph_computes_what_the_reference_does():
    """Compiled, captured and replayed in turn with another model's."""
    told = events([replace(one, variant=GRAPH) for one in pair(device="cuda")], budget_s=0.5)
    if any("needs" in one.reason for one in of(Failed, told)):
        pytest.skip(of(Failed, told)[0].reason)
    assert not of(Failed, told)
    for one in pair(device="cuda"):
        assert values(told, replace(one, variant=GRAPH).id)["output_error"] < 1e-4


def test_energy_is_that_of_the_counter_over_a_long_loop(forward):
    """Within 5 percent, of seconds before and after it."""
    gpu, clock, run = gpu_of("cuda"), device_clock("cuda"), forward[32]
    if gpu is None or gpu.energy_j() is None:
        pytest.skip("this device does not report its energy")

    def looped(seconds):
        began, first, forwards = clock.wall_ns(), gpu.energy_j(), 0
        while (clock.wall_ns() - began) * 1e-9 < seconds:
            run()
            torch.cuda.synchronize()
            forwards += 1
        return (gpu.energy_j() - first) / forwards

    looped(1.0)  # until it is warm
    before, ours, after = looped(4.0), per_forward_j(gpu, clock, run), looped(4.0)
    assert ours == pytest.approx(mean((before, after)), rel=0.05)


def test_a_tiny_model_is_bound_by_launches_and_its_energy_is_reported(tmp_path):
    """Of two layers of 32 the device has next to nothing to do."""
    done = bench(
        *("run", "latency", "--model", tiny_directory(tmp_path, "bert"), "--device", "cuda"),
        *("--weights", "random", "--seq-len", 8, "--batch-size", 1, "--budget", 1),
        *("--processes", 2, "--output", "run"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    summary = summarise(read_run(tmp_path / "run")).set_index("metric")["value"]
    assert summary["host_time"] > 0.8 * summary["latency"]
    assert "cpu_time" not in summary
    gpu = gpu_of("cuda")
    if gpu is not None and gpu.energy_j() is not None:
        assert summary["energy_per_sequence"] > 0
