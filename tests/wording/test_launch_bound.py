"""Where launching a forward is what takes its time, a sentence says so."""

from __future__ import annotations

import random
from dataclasses import asdict, replace

import pandas as pd
import pytest
from fakes import QueueClock, QueueCuda, case, write_run

from bench.core.axes import Compile, Dtype, Variant
from bench.results import store as records
from bench.stats.summary import summarise
from bench.wording.sentences import launch_bound
from bench.worker.sampler import Limits, Sampler

DEVICE_S = 0.01


def on_a_gpu(directory, launch_s, *, waits):
    """A run of one case on CUDA: the device takes 10 ms, the host so long to launch them.

    The samples are a real sampler's, over a device whose queue is worked off beside the host's
    clock; `waits` puts a look at the device into every forward, as transformers has one.
    """
    one, cuda = case(device="cuda"), QueueCuda()
    sampler = Sampler(QueueClock(cuda, "cuda"), random.Random(0), Limits(1.0, 1e-9))

    def forward():
        if waits:
            cuda.synchronize("cuda")  # on what is queued before it: the mask itself is tiny
        cuda.launch(launch_s, DEVICE_S)

    write_run(directory, [one])
    writer = records.open_run(directory, resume=True)
    for repeat in (1, 2):
        cuda.launch(5.0, 0.0)  # the libraries are set up
        warm = sampler.warm_up(one.id, forward)
        found = sampler.rounds({one.id: forward}, {one.id: DEVICE_S})
        writer.append_batch("samples", one.id, repeat, [asdict(t) for t in warm + found[one.id]])
    writer.close()
    return records.read_run(directory)


@pytest.mark.parametrize("waits", [True, False])
def test_a_forward_that_the_host_launches_no_faster_is_said_to_be_bound_by_launches(
    tmp_path, waits
):
    """And one that it launches faster is not, though in rounds its host waits for the device."""
    (said,) = launch_bound(summarise(on_a_gpu(tmp_path / "slow", 0.0095, waits=waits)))
    assert said.startswith("bert (cuda) is bound by launches at batch 1, 16 tokens: ")
    assert "CUDA graphs (--compile reduce-overhead)" in said
    quick = on_a_gpu(tmp_path / "quick", 0.002, waits=waits)
    assert not set(summarise(quick)["metric"]) & {"cpu_time"}  # it waits for the device
    in_rounds = quick.samples.loc[quick.samples["phase"] == "sample", "host_s"]
    assert bool(in_rounds.max() > 0.8 * DEVICE_S) is waits
    assert launch_bound(summarise(quick)) == []


def test_each_variant_is_said_to_be_bound_by_launches_for_itself():
    """One that CUDA graphs have set free is not named with the others; graphs help no graph."""
    usual, half = Variant(), Variant(Dtype.FLOAT16)
    graphs = Variant(compile=Compile.REDUCE_OVERHEAD)
    variants = {
        usual: 0.005,
        half: 0.005,
        graphs: 0.0001,
        replace(graphs, dtype=Dtype.FLOAT16): 0.005,
    }
    rows = [
        {"metric": m, "value": v, "model": "bert", "device": "cuda", "batch_size": 1, "seq_len": 16}
        | one.columns
        | {"case": f"{suite}/{one}"}
        for one, host_s in variants.items()
        for suite in ("latency", "variants")
        for m, v in (("host_time", host_s), ("latency", 0.005))
    ]
    said = launch_bound(pd.DataFrame(rows))
    starts = [text.partition(" is bound by launches at batch 1, 16 tokens: ")[0] for text in said]
    assert starts == [
        "bert (cuda)",
        "bert (cuda, float16)",
        "bert (cuda, float16, compile-reduce-overhead)",
    ]
    assert ["CUDA graphs" in text for text in said] == [True, True, False]


def test_a_run_on_the_cpu_launches_nothing(tmp_path):
    """There is no time of a device to compare with."""
    one = case()
    run = write_run(tmp_path / "run", [one], {one.id: [[0.01] * 4] * 2})
    assert launch_bound(summarise(run)) == []
