import dataclasses

import pytest
from fakes import ALBERT, BERT, case, job, pair

from bench.core.architecture import Model
from bench.core.axes import Dtype
from bench.core.case import Workload
from bench.core.errors import UsageError
from bench.core.measures.cold_start import COLD_START
from bench.core.measures.forward import FORWARD
from bench.core.measures.memory import MEMORY
from bench.core.measures.static import STATIC
from bench.core.measures.text import TEXT
from bench.core.suite import Grid, Sampling, Suite
from bench.plan.estimate import estimate
from bench.plan.grid import make_cases
from bench.plan.jobs import job_batches, processes_of
from bench.plan.options import Options, parse_axes
from bench.plan.registry import all_suites

MODELS = (BERT, ALBERT)


def suite(name="latency", batches=(1,), lengths=(8, 16), measure=FORWARD):
    """A suite with one small grid."""
    return Suite(name, name, measure, {"quick": Grid(batches, lengths)})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch_sizes": (4, 0)}, "--batch-size is 0"),
        ({"seq_lens": (-1,)}, "--seq-len is -1"),
        ({"threads": 0}, "--threads is 0"),
        ({"threads": 100_000}, "--threads is 100000: give 1024 or fewer"),
        ({"timeout_s": 0.0}, "--timeout is 0"),
        ({"timeout_s": float("nan")}, "--timeout is nan"),
        ({"seed": 10**22}, "--seed is 10000000000000000000000: give a number from 0 to"),
        ({"devices": ("cpu", "mps")}, "--device is .mps.: give cpu, cuda or cuda:N"),
    ],
)
def test_options_refuse_what_cannot_be_done(wrong, words):
    """The message names the option and its value."""
    with pytest.raises(UsageError, match=words):
        Options(**wrong)


def test_a_value_that_an_axis_has_not_is_refused_with_those_it_has():
    """The message names the option; axes that were not given are left to the suites."""
    assert parse_axes({"dtype": ["int8"], "head": []}) == {"dtype": (Dtype.INT8,)}
    with pytest.raises(UsageError, match="--dtype is 'int4': choose from float32, bfloat16"):
        parse_axes({"dtype": ["float32", "int4"]})


def test_every_model_gets_every_workload():
    """Cases of one workload stand together, so that they are measured side by side."""
    cases, notes = make_cases([suite()], MODELS, Options())
    assert [(c.workload.seq_len, c.model) for c in cases] == [
        (8, "bert"),
        (8, "albert"),
        (16, "bert"),
        (16, "albert"),
    ]
    assert notes == []


def test_options_replace_the_grid():
    """--batch-size and --seq-len say what to measure, whatever the profile has."""
    cases, _ = make_cases([suite()], [BERT], Options(batch_sizes=(3,), seq_lens=(5, 7)))
    assert [c.workload for c in cases] == [Workload(3, 5), Workload(3, 7)]


def test_a_shared_workload_is_measured_once():
    """It stands under the suite named first; suites that measure other things keep theirs."""
    suites = [suite(), suite("throughput"), suite("memory", measure=MEMORY)]
    cases, _ = make_cases(suites, [BERT], Options())
    assert [c.suite for c in cases] == ["latency", "latency", "memory", "memory"]


def test_named_twice_is_measured_once():
    """Options given twice ask for nothing more."""
    options = Options(devices=("cpu", "cpu"), axes={"dtype": (Dtype.FLOAT32,) * 2}, seq_lens=(8, 8))
    assert len(make_cases([suite(), suite()], [BERT], options)[0]) == 1


def test_a_named_length_above_the_maximum_is_an_error():
    """The user asked for it by name: leaving it out would not be what was asked."""
    with pytest.raises(UsageError, match="--seq-len is 65: bert takes at most 64 tokens"):
        make_cases([suite()], MODELS, Options(seq_lens=(65,)))


def test_a_named_length_is_told_to_be_of_no_use_to_a_text():
    """It is as long as it is; other suites of the same run take the length."""
    of_text = suite("text", lengths=(0,), measure=TEXT)
    cases, notes = make_cases([suite(), of_text], [BERT], Options(seq_lens=(8,)))
    assert [c.workload.seq_len for c in cases] == [8, 0]
    assert notes == ["text has lengths of its own: --seq-len changes nothing there"]
    assert make_cases([of_text], [BERT], Options())[1] == []


def test_a_profiles_length_above_the_maximum_is_noted():
    """A profile is made for common models: what one cannot take is left out, and said once."""
    short = dataclasses.replace(
        ALBERT, architecture=dataclasses.replace(ALBERT.architecture, max_tokens=8)
    )
    cases, notes = make_cases([suite(), suite("t", (2,))], [BERT, short], Options())
    assert {c.workload.seq_len for c in cases if c.model == "albert"} == {8}
    assert {c.workload.seq_len for c in cases if c.model == "bert"} == {8, 16}
    assert notes == ["albert takes at most 8 tokens: sequences of 16 left out"]


def test_a_plan_of_nothing_is_an_error():
    """When no model can take any workload, the run ends before it begins."""
    with pytest.raises(UsageError, match="nothing to measure"):
        make_cases([suite(lengths=(100,))], MODELS, Options())


def test_a_model_of_unknown_architecture_takes_everything():
    """Its limits are only known to itself: the worker will tell."""
    cases, _ = make_cases([suite(lengths=(10**6,))], [Model("x", "x")], Options())
    assert len(cases) == 1


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_every_profile_has_all_suites(profile):
    """Each measurement of each suite appears in the plan of every profile, without doubles."""
    suites = list(all_suites().values())
    cases, _ = make_cases(
        suites, MODELS, Options(profile=profile, seq_lens=(16,), memory_limit=10**9)
    )
    assert {c.measure for c in cases} == {s.measure for s in suites}
    assert len({c.id for c in cases}) == len(cases)


def test_a_memory_case_has_a_process_to_itself():
    """Peaks of one case must not hide those of the next."""
    cases = [*pair(measure=MEMORY), *pair(seq_len=8)]
    assert job_batches(cases, MEMORY) == [[cases[0]], [cases[1]]]


def test_batches_never_mix_settings():
    """Threads and dtype are a process's own; cases in between do not split a batch."""
    cases = [
        case(dtype=dtype, threads=threads, seq_len=length, device=device)
        for length in (8, 16)
        for dtype in (Dtype.FLOAT32, Dtype.BFLOAT16)
        for threads in (1, 2)
        for device in ("cpu", "cuda")
    ]
    batches = job_batches(cases, FORWARD)
    assert len(batches) == 8
    for batch in batches:
        assert len({(c.device, c.variant, c.threads) for c in batch}) == 1
        assert [c.workload.seq_len for c in batch] == [8, 16]


def test_a_batch_holds_only_its_kind():
    """Counting and timing never share a process."""
    cases = [case(), case(measure=STATIC)]
    assert job_batches(cases, STATIC) == [[cases[1]]]
    assert job_batches([], FORWARD) == []


def test_groups_hold_the_models_of_one_workload():
    """What a worker samples in turn differs by model only."""
    cases = [*pair(seq_len=8), *pair(seq_len=16)]
    shuffled = job([cases[0], cases[2], cases[3], cases[1]])
    assert shuffled.groups() == [[cases[0], cases[1]], [cases[2], cases[3]]]


@pytest.mark.parametrize(
    ("measure", "expected"), [(STATIC, 1), (MEMORY, 1), (COLD_START, 3), (FORWARD, 10)]
)
def test_what_is_counted_is_counted_once(measure, expected):
    """Counts and memory need one process, cold starts a few, time as many as were asked for."""
    assert processes_of(measure, Sampling(processes=10)) == expected
    assert processes_of(measure, Sampling(processes=1)) == 1


def test_the_estimate_counts_processes():
    """One for counting, one for each memory case, and one per process for all timed cases."""
    cases = [
        *pair(measure=STATIC),
        *pair(measure=MEMORY),
        *pair(seq_len=8),
        *pair(seq_len=16),
    ]
    cost = estimate(cases, MODELS, Sampling(processes=5, budget_s=10))
    assert cost.processes == 1 + 2 + 5
    assert cost.seconds >= 4 * 10


def test_the_estimate_ends_at_the_time_limit():
    """A run with a time limit takes no longer."""
    sampling = Sampling(processes=5, budget_s=1000, max_time_s=60)
    assert estimate(pair(), MODELS, sampling).seconds == 60
