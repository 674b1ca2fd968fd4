"""What a side loads: inputs that differ in each forward, and weights that do not."""

from __future__ import annotations

import torch

from bench.gate import side_cases

IDS = torch.tensor([[101, 7, 8, 9, 10, 11, 12, 102]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1, 0, 0]])
GIVEN = {"input_ids": IDS, "attention_mask": MASK, "x": (torch.ones(2, 3), "text")}


def test_the_first_draw_is_as_given():
    """Outputs are compared on what the user's function returns, too."""
    drawn = side_cases._varied(GIVEN, 0)
    assert torch.equal(drawn["input_ids"], IDS)
    assert torch.equal(drawn["x"][0], torch.ones(2, 3))


def test_each_further_draw_has_its_own_content_of_the_same_size():
    """Numbers are scaled a little, ids change places, masks and whatever is no tensor stay."""
    one, other, again = (side_cases._varied(GIVEN, number) for number in (16, 32, 16))
    assert sorted(one["input_ids"][0].tolist()) == sorted(IDS[0].tolist())
    assert not torch.equal(one["input_ids"], other["input_ids"])
    assert torch.equal(one["input_ids"], again["input_ids"])
    assert torch.equal(one["attention_mask"], MASK)
    assert not torch.equal(one["x"][0], other["x"][0])
    assert one["x"][1] == "text"
    assert float((one["x"][0] - 1).abs().max()) <= side_cases.FLOAT_SHARE


def test_weights_follow_from_names_and_not_from_the_order_of_making():
    """Two trees that build the same layers in another order have the same outputs."""

    def made(*names):
        return torch.nn.ModuleDict({name: torch.nn.Linear(4, 4) for name in names})

    with torch.inference_mode():
        one = side_cases._with_known_weights(made("a", "b"))
        other = side_cases._with_known_weights(made("b", "a"))
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name))
    assert not torch.equal(one["a"].weight, one["b"].weight)
