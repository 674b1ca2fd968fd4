from dataclasses import replace

import pytest
import torch
from fakes import TINY, case, job

from bench.core.architecture import Model, Weights
from bench.core.axes import REFERENCE, Attention, Dtype, Head, Variant
from bench.core.case import Workload
from bench.core.errors import UnsupportedError
from bench.core.flops import forward_flops, peak_activation_bytes
from bench.core.measures.verify import VERIFY
from bench.plan.jobs import Source
from bench.worker.clock import SystemClock
from bench.worker.loading import load, make_inputs
from bench.worker.measures.memory import peak_allocated_bytes
from bench.worker.measures.static import (
    applied_parameters,
    count_flops,
    count_operators,
    part_of,
    stored_parameters,
    weight_bytes,
)
from bench.worker.measures.verify import compare_with_plain
from bench.worker.session import Session
from suites.models import ALBERT_BASE, BERT_BASE

FULL = {"bert": BERT_BASE, "albert": ALBERT_BASE}
LAYER = 7_087_872
STORED = {
    "bert": {"embeddings": 23_837_184, "encoder": 12 * LAYER, "pooler": 590_592},
    "albert": {"embeddings": 3_906_048, "mapping": 99_072, "encoder": LAYER, "pooler": 590_592},
}
TOTAL = {"bert": 109_482_240, "albert": 11_683_584}


@pytest.fixture(scope="module", params=list(FULL))
def full(request):
    """Name, architecture and full-size module with real weights, one model at a time."""
    arch = FULL[request.param]
    module = load(Model(request.param, "", arch), Variant(), None, "cpu", random=True)
    yield request.param, arch, module
    del module


def inputs(module, workload):
    """Token ids and mask."""
    return make_inputs(module, workload, "cpu", seed=0)


def test_stored_parameters_equal_the_published_figures(full):
    """By part and in all, to the last digit."""
    name, _, module = full
    assert stored_parameters(module) == STORED[name]
    assert sum(STORED[name].values()) == TOTAL[name]


def test_applied_encoder_parameters_are_equal(full):
    """ALBERT's one layer is applied twelve times: as many as BERT's twelve layers once."""
    name, _, module = full
    applied = applied_parameters(module, inputs(module, Workload(1, 8)))
    assert applied == {**STORED[name], "encoder": 85_054_464}


def test_weight_bytes_are_four_per_parameter(full):
    """In float32; the dtype stands in the name of the part."""
    name, _, module = full
    assert weight_bytes(module) == {"float32": 4 * TOTAL[name]}


@pytest.mark.parametrize("workload", [Workload(3, 16), Workload(1, 128), Workload(1, 512)], ids=str)
def test_flops_of_a_forward_equal_the_formula(full, workload):
    """Counted in eager attention, on real tensors, to the last digit."""
    _, arch, module = full
    assert count_flops(module, inputs(module, workload)) == forward_flops(arch, workload)
    assert module.config._attn_implementation == "sdpa"


def test_operators_are_counted_alike_each_time(full):
    """The number of operators is a property of the model, not of the moment or the length."""
    _, _, module = full
    counts = {count_operators(module, inputs(module, Workload(1, s))) for s in (8, 8, 16)}
    assert len(counts) == 1
    assert counts.pop() > 100


def test_peak_activations_equal_the_formula(full):
    """What the allocator hands out at once in a forward is the formula's within 1 %."""
    _, arch, module = full
    workload = Workload(2, 64)
    given = inputs(module, workload)
    with torch.inference_mode():
        module(**given)
        peak = peak_allocated_bytes(lambda: module(**given))
    assert peak == pytest.approx(peak_activation_bytes(arch, workload), rel=0.01)


def test_an_allocation_is_seen_to_the_byte():
    """64 MiB are 64 MiB, also when they are freed again and some more taken after."""
    mib = 1 << 20

    def call():
        del_me = torch.empty(64 * mib, dtype=torch.uint8)
        del del_me
        return torch.empty(mib, dtype=torch.uint8)

    assert peak_allocated_bytes(call) == 64 * mib


def test_what_was_there_before_does_not_count():
    """Only what the call itself takes is its peak."""
    before = torch.empty(1 << 20, dtype=torch.uint8)
    assert peak_allocated_bytes(lambda: torch.empty_like(before[:1024])) == 1024


@pytest.mark.parametrize(
    ("parameter", "part"),
    [
        ("embeddings.word_embeddings.weight", "embeddings"),
        ("encoder.layer.0.output.dense.weight", "encoder"),
        ("encoder.embedding_hidden_mapping_in.weight", "mapping"),
        ("pooler.dense.bias", "pooler"),
        ("pooler.bias", "pooler"),
    ],
)
def test_a_parameter_is_part_of_what_holds_it(parameter, part):
    """Names as both models have them."""
    assert part_of(parameter) == part


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        # Transform, its norm, decoder with the (tied) words, and one bias: H 32, E 16, V 100.
        ("bert", 32 * 32 + 32 + 2 * 32 + 100 * 32 + 100),
        ("albert", 32 * 16 + 16 + 2 * 16 + 100 * 16 + 100),
        ("electra", 32 * 16 + 16 + 2 * 16 + 100 * 16 + 100),
    ],
)
def test_a_head_is_told_from_the_encoder_by_whatever_name_and_applied_once(kind, head):
    """Also a bias that two of its modules hold."""
    arch = replace(TINY.get(kind, TINY["albert"]), model_type=kind, activation="gelu")
    whole, bare = (
        load(Model("m", "", arch), Variant(head=name), None, "cpu", random=True)
        for name in (Head.MASKED_LM, Head.FEATURES)
    )
    found = applied_parameters(whole, inputs(whole, Workload(1, 8)))
    assert found["head"] == head
    encoder = applied_parameters(bare, inputs(bare, Workload(1, 8)))["encoder"]
    assert found["encoder"] == encoder
    stored = stored_parameters(whole)
    assert stored["encoder"] == stored_parameters(bare)["encoder"]
    assert 0 < stored["head"] < head  # the words are the embeddings'


@pytest.mark.parametrize("kind", ["albert", "electra", "bert"])
def test_embeddings_as_wide_as_the_hidden_states_are_counted_as_they_are_built(kind):
    """ALBERT projects them all the same."""
    arch = replace(TINY["albert"], model_type=kind, embedding_size=32, activation="gelu")
    module = load(Model("m", "", arch), Variant(), None, "cpu", random=True)
    assert module.get_input_embeddings().weight.shape == (100, 32)
    workload = Workload(2, 8)
    pooler = 0 if module.config.model_type != "electra" else 2 * 2 * 32**2  # it has none
    assert count_flops(module, inputs(module, workload)) + pooler == forward_flops(arch, workload)


@pytest.mark.parametrize("kind", ["mpnet", "splinter"])
def test_an_attention_that_an_architecture_has_not_is_a_skip_with_the_one_it_has(kind):
    """Transformers would run eager attention under the name of another."""
    arch = replace(TINY["bert"], model_type=kind)
    with pytest.raises(UnsupportedError, match=f"no sdpa attention for {kind}: give --attention e"):
        load(Model("m", "", arch), Variant(), None, "cpu", random=True)
    module = load(Model("m", "", arch), REFERENCE, None, "cpu", random=True)
    assert module.config._attn_implementation == "eager"


def test_a_model_without_sdpa_is_verified_with_the_attention_it_has(tmp_path):
    """As the plain call picks it."""
    arch = replace(TINY["bert"], model_type="mpnet")
    made = load(Model("m", "", arch), REFERENCE, None, "cpu", random=True)
    made.save_pretrained(tmp_path)
    one = case("m", suite="verify", measure=VERIFY)
    facts = {
        "models": (Model("m", "m"),),
        "sources": {"m": Source(str(tmp_path), Weights.PRETRAINED)},
    }
    compare_with_plain(Session(job([one], **facts), lambda _: None, SystemClock()), one)


def test_random_weights_are_the_same_in_every_process():
    """They are seeded, so that two runs measure the same model."""
    one, other = (
        load(Model("m", "", TINY["albert"]), Variant(), None, "cpu", random=True).state_dict()
        for _ in range(2)
    )
    assert all(torch.equal(one[k], other[k]) for k in one)


def test_a_variant_decides_how_a_model_is_built():
    """The dtype of the weights and the kind of attention are the variant's."""
    variant = Variant(Dtype.BFLOAT16, Attention.EAGER)
    module = load(Model("m", "", TINY["bert"]), variant, None, "cpu", random=True)
    assert weight_bytes(module).keys() == {"bfloat16"}
    assert module.config._attn_implementation == "eager"
    assert not module.training


def test_a_checkpoint_is_loaded_as_it_was_saved(tiny_models):
    """Weights read from safetensors are the ones that were written."""
    made = load(Model("m", "", TINY["bert"]), Variant(), None, "cpu", random=True).state_dict()
    read = load(Model("m", "", None), Variant(), tiny_models["bert"], "cpu", random=False)
    assert all(torch.equal(made[k], v) for k, v in read.state_dict().items())


def test_inputs_are_drawn_from_the_seed():
    """Whole sequences without padding, the same for the same seed only."""
    module = load(Model("m", "", TINY["bert"]), Variant(), None, "cpu", random=True)
    one, same = (make_inputs(module, Workload(3, 7), "cpu", 1) for _ in range(2))
    other = make_inputs(module, Workload(3, 7), "cpu", 2)
    assert one["input_ids"].shape == (3, 7)
    assert one["attention_mask"].all()
    assert one["input_ids"].max() < TINY["bert"].vocab_size
    assert torch.equal(one["input_ids"], same["input_ids"])
    assert not torch.equal(one["input_ids"], other["input_ids"])
