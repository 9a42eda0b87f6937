"""Barlow Twins against equations 1 and 2 of its paper, written as loops."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.objectives import barlow
from vssl.objectives.base import Objective
from vssl.types import Images, Point


def equation_2(first: Tensor, second: Tensor, i: int, j: int) -> float:
    """C_ij = sum_b a_bi b_bj / sqrt(sum_b a_bi^2) sqrt(sum_b b_bj^2), of values centred over the batch."""
    a, b = first[:, i] - first[:, i].mean(), second[:, j] - second[:, j].mean()
    return float((a * b).sum() / (a.square().sum().sqrt() * b.square().sum().sqrt()))


def equation_1(first: Tensor, second: Tensor, off_diagonal: float) -> float:
    """sum_i (1 - C_ii)^2 + lambda sum_i sum_{j != i} C_ij^2, and divided by D."""
    dimensions = first.shape[1]
    total = 0.0
    for i in range(dimensions):
        for j in range(dimensions):
            c = equation_2(first, second, i, j)
            total += (1 - c) ** 2 if i == j else off_diagonal * c**2
    return total / dimensions


def loss(first: Tensor, second: Tensor, off_diagonal: float) -> float:
    on, off = barlow.loss_parts(barlow.cross_correlation(first, second))
    return float(on + off_diagonal * off)


@pytest.mark.parametrize("off_diagonal", [0.0, 0.005, 1.0])
def test_the_loss_is_equation_1(off_diagonal: float):
    generator = torch.Generator().manual_seed(0)
    first = 3 * torch.randn(12, 5, generator=generator, dtype=torch.float64) + 2
    second = first + torch.randn(12, 5, generator=generator, dtype=torch.float64)
    assert loss(first, second, off_diagonal) == pytest.approx(equation_1(first, second, off_diagonal), rel=1e-4)


def test_equal_views_of_independent_dimensions_have_no_loss():
    rows = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]).double()
    assert loss(rows, rows, 1.0) == pytest.approx(0, abs=1e-8)


def test_a_repeated_dimension_costs_its_weight():
    rows = torch.tensor([[1.0, 1.0], [-1.0, -1.0]]).double()
    assert loss(rows, rows, 0.3) == pytest.approx(0.3, rel=1e-4)


def test_the_loss_is_that_of_the_projections(
    make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]
):
    objective = make_objective(barlow.Config(off_diagonal=0.02, latent=16, hidden=32))
    views = two_views()
    result = objective(views)
    first, second = objective.head(objective.encoder(Images.cat(views))).detach().double().chunk(2)
    assert float(result.total.detach()) == pytest.approx(equation_1(first, second, 0.02), rel=1e-3)
    parts = {name: float(value) for name, value in result.parts.items()}
    assert float(result.total.detach()) == pytest.approx(parts["on_diagonal"] + 0.02 * parts["off_diagonal"])


def test_it_claims_no_variance(make_objective: Callable[..., Objective]):
    objective = make_objective(barlow.Config(latent=16, hidden=32))
    assert isinstance(objective.latent(torch.randn(4, objective.encoder.features)), Point)


def test_a_negative_weight_is_refused():
    with pytest.raises(ConfigError, match=r"barlow\.off_diagonal is -0\.1; it must be in the range \[0, inf\)"):
        barlow.Config(off_diagonal=-0.1)
