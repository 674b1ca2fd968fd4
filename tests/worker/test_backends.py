import importlib.util
import os
import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from fakes import BERT, TINY, QueueClock, QueueCuda, case, job, of, python

from bench.core.architecture import Model
from bench.core.axes import REFERENCE, Attention, Backend, Cache, Compile, Dtype, Head, Variant
from bench.core.case import Compares, Status, Workload
from bench.core.errors import BenchError, UnsupportedError
from bench.core.events import Event, Phase, Samples
from bench.core.measures.capacity import CAPACITY
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.core.measures.text import TEXT
from bench.core.tolerance import TOLERANCE
from bench.worker import engine as engines
from bench.worker import variants
from bench.worker.backends import torch as torch_backend
from bench.worker.clock import SystemClock
from bench.worker.loading import load, make_inputs
from bench.worker.measures.forward import (
    Loaded,
    checked,
    key_of,
    load_all,
    load_engine,
    measure_group,
    settle,
    with_threads,
)
from bench.worker.measures.text import BATCHES, Batch, sample_batches
from bench.worker.numerics import assert_close, relative_error
from bench.worker.session import Session, classify

ONNXRUNTIME, OPENVINO = Backend("onnxruntime"), Backend("openvino")
COMPILED = Variant(compile=Compile.DEFAULT)
SECONDS = [
    REFERENCE,
    Variant(),
    Variant(Dtype.INT8),
    Variant(head=Head.MASKED_LM),
]
"""Variants that are made at once."""
EXPORTED = [
    ("bert", Variant(backend=ONNXRUNTIME)),
    ("albert", Variant(backend=OPENVINO)),
]
MINUTES = [
    *((kind, COMPILED) for kind in TINY),
    ("albert", Variant(backend=ONNXRUNTIME)),
    ("bert", Variant(backend=OPENVINO)),
    *((kind, Variant(backend=ONNXRUNTIME, head=Head.QUESTION)) for kind in TINY),
]
"""Variants that are compiled or exported for long."""
ON_CPU = [
    *((kind, variant) for kind in TINY for variant in SECONDS),
    *(pytest.param(*each, marks=pytest.mark.process) for each in EXPORTED),
    *(pytest.param(*each, marks=pytest.mark.extended) for each in MINUTES),
]


def session(cases, **facts):
    """A session over the cases; nobody listens to it."""
    return Session(job(cases, **facts), lambda _: None, SystemClock())


@pytest.mark.filterwarnings("ignore")  # compilers warn of themselves
@pytest.mark.parametrize(("kind", "variant"), ON_CPU, ids=str)
def test_a_variant_computes_what_the_reference_does(kind, variant):
    """In other sizes than it was exported with, too; its error is kept, and what making it cost."""
    try:
        variants.require(variant, "cpu")
    except UnsupportedError as error:
        pytest.skip(str(error))
    cases = [
        replace(case(kind, batch_size=b, seq_len=s), variant=variant) for b, s in ((1, 8), (2, 12))
    ]
    one = session(cases)
    loaded = load_engine(one, cases)
    with torch.inference_mode():
        facts = [checked(one, loaded, each) for each in cases]
    assert all(0 <= f["output_error"] <= TOLERANCE[variant.dtype] / 5 for f in facts)
    assert ("compile_time" in facts[0]) == (variant.compile is not Compile.NONE)
    assert ("artifact_bytes" in facts[0]) == (variant.backend != Backend("torch"))
    assert all(f.get("artifact_bytes", 1e5) > 1e4 for f in facts)


@pytest.mark.process
@pytest.mark.filterwarnings("ignore")  # compilers warn of themselves
def test_a_case_finds_nothing_of_another_compiled_and_its_own_again(tmp_path, monkeypatch):
    """So that the time of compiling does not depend on the order of the cases."""
    try:
        variants.require(COMPILED, "cpu")
    except UnsupportedError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))

    def compiled(name):
        """Compile the same function for a case; the files that are there since."""
        before = set(tmp_path.rglob("*.cpp"))
        torch.compiler.reset()
        with torch_backend.compiling(COMPILED, name), torch.inference_mode():
            torch.compile(lambda x: x.sin() + 1, dynamic=False)(torch.zeros(8))
        return len(set(tmp_path.rglob("*.cpp")) - before)

    counts = [compiled(name) for name in ("first", "second", "first")]
    assert counts[0] > 0
    assert counts[1] > 0
    assert counts[2] == 0
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path)


@pytest.mark.parametrize("before", [None, "/of/the/user"])
def test_tritons_kernels_are_a_cases_own_too(tmp_path, monkeypatch, before):
    """Torch sets Triton's place once in a process, for all that is compiled after."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    if before:
        monkeypatch.setenv("TRITON_CACHE_DIR", before)
    places = set()
    for name in ("first", "second"):
        with torch_backend.compiling(COMPILED, name):
            place = os.environ["TORCHINDUCTOR_CACHE_DIR"] + "/triton"
            places.add(os.environ.setdefault("TRITON_CACHE_DIR", place))
        assert os.environ.get("TRITON_CACHE_DIR") == before
    assert len(places) == 2
    assert before not in places


def test_numerics_are_checked_in_the_first_process_only():
    """It does not change from process to process."""
    one = session([case()], process=2)
    assert checked(one, load_engine(one, [case()]), case()) == {}


@dataclass
class Counting(engines.Engine):
    """An engine that counts its forwards."""

    forwards: int = 0

    def bind(self, inputs):
        del inputs

        def forward():
            self.forwards += 1

        return forward

    def tensors(self, result):
        raise AssertionError(result)


@pytest.mark.parametrize(("compiled", "forwards"), [("none", 0), ("default", 1)])
def test_compiling_again_is_no_part_of_warming_up(compiled, forwards):
    """In later processes the first forward compiles, before the warm-up tells a duration."""
    one = replace(case(), variant=Variant(compile=Compile(compiled)))
    engine, later = Counting(), session([one], process=2)
    assert checked(later, Loaded(engine, {one.id: {}}), one) == {}
    settle(later, one, [engine.bind({})])
    assert engine.forwards == forwards


@pytest.mark.parametrize("measure", [STATIC, MEMORY, CAPACITY])
def test_what_cannot_be_loaded_is_skipped_by_every_measure(measure):
    """And what is only emulated is counted all the same."""
    flash = replace(case(measure=measure), variant=Variant(Dtype.BFLOAT16, Attention.FLASH))
    with pytest.raises(UnsupportedError, match="CUDA only"):
        session([flash]).load(flash)
    emulated = case(measure=measure, dtype=Dtype.BFLOAT16)
    assert session([emulated]).load(emulated).dtype is torch.bfloat16


def test_what_is_only_emulated_is_not_timed(monkeypatch):
    """A type without instructions would be timed at something nobody would run."""
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with pytest.raises(UnsupportedError, match="torch would emulate it"):
        variants.require(Variant(Dtype.BFLOAT16), "cpu")
    variants.require(Variant(Dtype.BFLOAT16), "cpu", timed=False)


def test_another_function_is_refused():
    """A variant whose output is not the reference's fails, with its error and what is allowed."""
    one = session([case()])
    loaded = load_engine(one, [case()])
    expected = loaded.expected[case().id]
    loaded.expected[case().id] = [1.01 * one for one in expected]
    with torch.inference_mode(), pytest.raises(BenchError, match=r"float32 eager by 0\.0099"):
        checked(one, loaded, case())


def test_outputs_that_are_no_numbers_or_of_another_shape_are_no_match():
    """Neither NaN nor a missing output passes for a small error."""
    good = [torch.ones(2, 3)]
    with pytest.raises(BenchError, match="inf"):
        assert_close([torch.full((2, 3), torch.nan)], good, Dtype.INT8)
    with pytest.raises(BenchError, match=r"shapes \[\(2, 3\)\], not \[\]"):
        relative_error(good, [])


@pytest.mark.parametrize(
    ("variant", "device", "reason"),
    [
        (Variant(compile=Compile.REDUCE_OVERHEAD), "cpu", "CUDA graphs"),
        (Variant(cache=Cache.COLD), "cpu", "CUDA devices"),
        (
            Variant(Dtype.BFLOAT16, attention=Attention.FLASH),
            "cpu",
            "flash attention runs on CUDA only",
        ),
        (Variant(Dtype.INT8), "cuda", "on the CPU only"),
        (
            Variant(Dtype.FLOAT32, attention=Attention.FLASH),
            "cuda",
            "in bfloat16 or float16, not in float32",
        ),
        (Variant(Dtype.BFLOAT16, backend=ONNXRUNTIME), "cpu", "in float32 only, not in bf"),
        (Variant(backend=ONNXRUNTIME), "cuda:1", "runs on cpu only, not on cuda"),
        (Variant(backend=OPENVINO, compile=Compile.DEFAULT), "cpu", "none only, not with default"),
        (Variant(backend=OPENVINO, attention=Attention.EAGER), "cpu", "sdpa only, not with eager"),
    ],
)
def test_what_cannot_run_is_skipped_by_name(variant, device, reason):
    """Before anything is loaded; it is a status of its own, not a failure."""
    with pytest.raises(UnsupportedError, match=reason) as found:
        variants.require(variant, device)
    assert classify(found.value) == (Status.SKIPPED, str(found.value))


@pytest.mark.parametrize(
    ("backend", "lacking"),
    [("onnxruntime", "onnxruntime"), ("onnxruntime", "onnxscript"), ("openvino", "openvino")],
)
def test_a_backend_that_is_not_installed_says_what_brings_it(backend, lacking, monkeypatch):
    """The reason names the extra to install, also where only a part of it is there."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name != lacking or None)
    with pytest.raises(UnsupportedError, match=rf"module {lacking}, which is .* pip install '"):
        variants.require(Variant(backend=Backend(backend)), "cpu")


@pytest.mark.parametrize(
    ("named", "there", "lacking"),
    [
        ("", "clang++", "g++"),  # torch looks for no other on Linux
        ("my-c++", "g++", "my-c++"),
        ("my-c++", "my-c++", ""),
        ("", "g++", ""),
    ],
)
def test_compiling_without_a_compiler_is_skipped_and_says_what_to_install(
    named, there, lacking, monkeypatch
):
    """What CXX names is the one that torch takes; one that is not there does not help."""
    monkeypatch.setattr(shutil, "which", lambda name: name if name == there else None)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("CXX", named)
    if lacking:
        with pytest.raises(UnsupportedError, match=f"there is no {re.escape(lacking)}: install"):
            variants.require(COMPILED, "cpu")
    else:
        variants.require(COMPILED, "cpu")


@pytest.mark.extended
def test_beyond_the_compilers_limit_a_case_fails_and_does_not_run_uncompiled(monkeypatch):
    """Torch would go on without a word, and the row would say compiled."""
    try:
        variants.require(COMPILED, "cpu")
    except UnsupportedError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(torch_backend, "RECOMPILATIONS", 1)
    torch.compiler.reset()
    cases = [replace(case(seq_len=n), variant=COMPILED) for n in (8, 12)]
    one = session(cases)
    loaded = load_engine(one, cases)
    with torch.inference_mode():
        checked(one, loaded, cases[0])
        with pytest.raises(Exception, match="recompile_limit"):
            checked(one, loaded, cases[1])
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("backend", "threads_of"),
    [
        pytest.param(
            "onnxruntime",
            lambda e: e.session.get_session_options().intra_op_num_threads,
            marks=pytest.mark.extended,
        ),
        pytest.param(
            "openvino",
            lambda e: e.request.get_compiled_model().get_property("INFERENCE_NUM_THREADS"),
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")  # exporters warn of themselves
def test_numbers_of_threads_are_compared_in_engines_that_have_them(backend, threads_of):
    """Torch's number is nothing to them: one engine for both would be compared with itself."""
    of = Variant(backend=Backend(backend))
    try:
        variants.require(of, "cpu")
    except UnsupportedError as error:
        pytest.skip(str(error))
    cases = [
        replace(case(threads=n), variant=of, compares=Compares.THREADS, suite="scaling")
        for n in (1, 2)
    ]
    loaded = load_all(session(cases, threads=2))
    assert [threads_of(loaded[key_of(one)].engine) for one in cases] == [1, 2]


@pytest.mark.parametrize(
    "backend", [pytest.param("onnxruntime", marks=pytest.mark.extended), "openvino"]
)
@pytest.mark.filterwarnings("ignore")  # exporters warn of themselves
def test_an_exported_model_takes_what_a_tokenizer_gives(backend):
    """Which is more than it has inputs for."""
    one = replace(case(), variant=Variant(backend=Backend(backend)))
    try:
        variants.require(one.variant, "cpu")
    except UnsupportedError as error:
        pytest.skip(str(error))
    loaded = load_engine(session([one]), [one])
    ids = torch.ones(1, 8, dtype=torch.long)
    given = {"input_ids": ids, "token_type_ids": 0 * ids, "attention_mask": ids}
    assert loaded.engine.tensors(loaded.engine.bind(given)())[0].shape[:2] == (1, 8)


CONVERT = """
import socket, sys
from fakes import case, job
from dataclasses import replace
from bench.worker.clock import SystemClock
from bench.worker.measures.forward import load_engine
from bench.worker.session import Session
from bench.core.axes import Backend, Variant

def refuse(*_):
    print("asked the network")
    raise OSError

socket.getaddrinfo = refuse
one = replace(case(), variant=Variant(backend=Backend("openvino")))
load_engine(Session(job([one]), lambda _: None, SystemClock()), [one])
print(sys.modules["openvino_telemetry"])
"""


@pytest.mark.process
def test_openvino_tells_nobody_that_it_is_used(tmp_path):
    """Its converter forks the worker dozens of times to report, and keeps files in the home."""
    try:
        variants.require(Variant(backend=OPENVINO), "cpu")
    except UnsupportedError as error:
        pytest.skip(str(error))
    done = python("-c", CONVERT, cwd=Path(__file__).parents[1] / "support", HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr
    assert not (tmp_path / "intel").exists()


@pytest.mark.parametrize(
    ("variant", "lacking", "capability", "reason"),
    [
        (
            Variant(Dtype.FLOAT16, attention=Attention.FLASH),
            "flash_attn",
            (9, 0),
            "the module flash_attn",
        ),
        (COMPILED, "triton", (9, 0), "needs the module triton"),
        (COMPILED, "gcc", (9, 0), "install gcc or clang"),
        (COMPILED, "", (6, 1), r"torch.compile on CUDA needs compute capability 7\.0; cuda has 6"),
        (
            Variant(Dtype.FLOAT16, Attention.FLASH),
            "",
            (7, 5),
            r"flash attention needs .* 8\.0",
        ),
        (COMPILED, "", (7, 0), ""),
        (Variant(Dtype.FLOAT16, Attention.FLASH), "", (8, 6), ""),
    ],
)
def test_what_a_cuda_device_or_its_machine_lacks_is_skipped_by_name(
    variant, lacking, capability, reason, monkeypatch
):
    """Otherwise the compiler, or the kernel, would fail in the middle of a run."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name != lacking or None)
    monkeypatch.setattr(shutil, "which", lambda name: name == "gcc" != lacking or None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    if not reason:
        variants.require(variant, "cuda")
        return
    with pytest.raises(UnsupportedError, match=reason):
        variants.require(variant, "cuda")


class Graphed:
    """An engine as torch.compile makes one with CUDA graphs: a shape's third call is the fast one.

    The first compiles and the second captures; `calls` counts them by shape.
    """

    facts: ClassVar[dict[str, float]] = {}

    def __init__(self, cuda):
        self.cuda, self.calls = cuda, Counter()

    def bind(self, inputs):
        shape = tuple(inputs["input_ids"].shape)

        def forward():
            self.calls[shape] += 1
            host_s = {1: 5.0, 2: 0.2}.get(self.calls[shape], 1e-4)
            self.cuda.launch(host_s, 0.002)

        return forward


@pytest.mark.parametrize("text", [False, True], ids=["one shape", "a text"])
def test_capturing_cuda_graphs_is_no_sample(text):
    """Each padded length of a text is a graph of its own, and all are captured before the rounds.

    Otherwise the first sample of each length is a hundred times too long.
    """
    cuda = QueueCuda()
    clock = QueueClock(cuda, "cuda")
    told: list[Event] = []
    one = replace(case(measure=TEXT if text else FORWARD), variant=COMPILED)
    listening = Session(job([one], process=2, budget_s=1.0), told.append, clock)
    engine = Graphed(cuda)
    inputs = [{"input_ids": torch.zeros(1, n, dtype=torch.long)} for n in range(8, 8 + BATCHES)]
    loaded = {key_of(one): Loaded(engine, {one.id: inputs[0]})}
    if text:
        batches = {one.id: [Batch(each, 8, 0, 4) for each in inputs]}
        found, _, _ = sample_batches(listening, loaded, batches, [one])
    else:
        measure_group(listening, loaded, [one])
        found = {one.id: [row for e in of(Samples, told) for row in e.rows]}
    seconds = [
        timed.wall_s for timed in found[one.id] if timed.phase in (Phase.SAMPLE, Phase.WARMUP)
    ]
    assert len(seconds) > (BATCHES if text else 10)
    assert max(seconds) < 0.01


def test_threads_are_set_where_they_are_compared():
    """A forward of the scaling suite runs with its own number, any other with what there is."""
    before, seen = torch.get_num_threads(), []
    many = replace(case(threads=before + 1), compares=Compares.THREADS)
    try:
        with_threads(lambda: seen.append(torch.get_num_threads()), many)()
        with_threads(lambda: seen.append(torch.get_num_threads()), case(threads=1))()
    finally:
        torch.set_num_threads(before)
    assert seen == [before + 1, before + 1]


def test_where_numbers_of_threads_are_compared_the_reference_gemm_has_all_of_them(monkeypatch):
    """Not those that the last model of the round before happened to have."""
    before, seen, product = torch.get_num_threads(), [], torch.mm

    def counted(*given, **more):
        seen.append(torch.get_num_threads())
        return product(*given, **more)

    monkeypatch.setattr(torch, "mm", counted)
    cases = [replace(case(threads=n), compares=Compares.THREADS, suite="scaling") for n in (1, 2)]
    one = session(cases, threads=2)
    try:
        measure_group(one, load_all(one), cases)
    finally:
        torch.set_num_threads(before)
    assert len(seen) > 3
    assert set(seen) == {2}


def test_a_pretrained_encoder_may_lack_the_head_and_nothing_else(tmp_path):
    """A head that the checkpoint has not is made with the seed: the same each time."""
    load(BERT, Variant(), None, "cpu", random=True).save_pretrained(tmp_path)
    model = Model("bert", str(tmp_path), TINY["bert"])
    variant, outputs = Variant(head=Head.SEQUENCE), []
    for _ in range(2):
        module = load(model, variant, tmp_path, "cpu", random=False)
        with torch.inference_mode():
            outputs.append(module(**make_inputs(module, Workload(1, 8), "cpu", 0)).logits)
    assert torch.equal(*outputs)
    load(BERT, Variant(head=Head.MASKED_LM), None, "cpu", random=True).save_pretrained(tmp_path)
    with pytest.raises(BenchError, match=r"lacks bert\.pooler"):
        load(model, variant, tmp_path, "cpu", random=False)
