"""The optimisers: LARS by hand, and what decays."""

import math

import pytest
import torch
from torch import nn

from vssl.training.optim import LARS, build, set_learning_rate
from vssl.training.settings import Optimiser


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))
        self.bias = nn.Parameter(torch.tensor([1.0, 1.0]))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)


def test_lars_takes_the_steps_calculated_by_hand():
    weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    optimizer = LARS([{"params": [weight], "weight_decay": 0.1}], lr=0.5, momentum=0.9, trust=0.02)
    weight.grad = torch.tensor([[0.0, 2.0]])
    optimizer.step()
    # The gradient with decay is (0.3, 2.4), of length 2.41868; |w| is 5: the step is scaled by 0.02 * 5 / 2.41868.
    scale = 0.02 * 5 / math.hypot(0.3, 2.4)
    velocity = [0.3 * scale, 2.4 * scale]
    first = [3 - 0.5 * velocity[0], 4 - 0.5 * velocity[1]]
    assert weight.tolist()[0] == pytest.approx(first)
    weight.grad = torch.tensor([[1.0, 0.0]])
    optimizer.step()
    gradient = [1 + 0.1 * first[0], 0.1 * first[1]]
    scale = 0.02 * math.hypot(*first) / math.hypot(*gradient)
    velocity = [0.9 * v + scale * g for v, g in zip(velocity, gradient, strict=True)]
    assert weight.tolist()[0] == pytest.approx([w - 0.5 * v for w, v in zip(first, velocity, strict=True)])


def test_lars_takes_plain_steps_for_biases_and_survives_a_gradient_of_zero():
    net = Net()
    optimizer = build(Optimiser("lars", 0.5, weight_decay=0.0), net)
    net.bias.grad, net.weight.grad = torch.tensor([0.2, 0.0]), torch.zeros(1, 2)
    optimizer.step()
    assert net.bias.tolist() == pytest.approx([0.9, 1.0])
    assert net.weight.tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize("algorithm", ["adamw", "sgd", "lars"])
def test_only_matrices_and_kernels_decay(algorithm: str):
    net = Net()
    optimizer = build(Optimiser(algorithm, 0.1, weight_decay=0.5), net)
    for parameter in (net.weight, net.bias, net.scale):
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert net.weight.norm().item() < 5
    assert net.bias.tolist() == [1.0, 1.0]
    assert net.scale.item() == 2.0


@pytest.mark.parametrize("algorithm", ["adamw", "sgd", "lars"])
def test_what_is_not_trained_is_not_given_to_the_optimiser(algorithm: str):
    net = Net()
    optimizer = build(Optimiser(algorithm), net)
    given = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert {id(parameter) for parameter in given} == {id(net.weight), id(net.bias), id(net.scale)}


def test_the_learning_rate_is_set_for_all_groups():
    optimizer = build(Optimiser("sgd", 0.1), Net())
    set_learning_rate(optimizer, 0.03)
    assert [group["lr"] for group in optimizer.param_groups] == [0.03, 0.03]
