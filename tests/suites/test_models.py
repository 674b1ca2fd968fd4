from dataclasses import replace

import pytest
import torch

from bench.core.architecture import Model
from bench.core.axes import Variant
from bench.core.case import Workload
from bench.worker.engine import module_outputs
from bench.worker.loading import build_config, load, make_inputs
from bench.worker.numerics import relative_error
from suites.models import MODELS

STORED = {
    "bert-base-uncased": 109_482_240,
    "albert-base-v2": 11_683_584,
    "albert-base-v2-fused": 11_683_584,
    "bert-tiny": 4_385_920,
    "bert-mini": 11_170_560,
    "bert-small": 28_763_648,
    "bert-medium": 41_373_184,
    "bert-large-uncased": 335_141_888,
    "albert-large-v2": 17_683_968,
    "albert-xlarge-v2": 58_724_864,
    "albert-xxlarge-v2": 222_595_584,
    "distilbert-base-uncased": 66_362_880,
    "roberta-base": 124_645_632,
}
"""Parameters of the published base models, with their pooler where they have one."""


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_an_architecture_has_the_parameters_of_the_published_model(model):
    """Built without memory from the registry's facts, each model has the known size."""
    from transformers import AutoModel

    with torch.device("meta"):
        module = AutoModel.from_config(build_config(model.architecture))
    assert sum(p.numel() for p in module.parameters()) == STORED[model.name]


def test_the_fused_albert_is_the_same_function():
    """One operator for eight: the outputs differ by rounding alone."""
    by_name = {model.name: model for model in MODELS}
    outputs = []
    for name in ("albert-base-v2", "albert-base-v2-fused"):
        arch = replace(by_name[name].architecture, layers=3, vocab_size=100)
        module = load(Model(name, name, arch), Variant(), None, "cpu", random=True)
        inputs = make_inputs(module, Workload(1, 16), "cpu", seed=0)
        with torch.inference_mode():
            outputs.append(module_outputs(module(**inputs)))
    assert 0 < relative_error(*outputs) < 1e-5
