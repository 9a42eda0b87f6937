"""VICReg against equations 1 to 6 of its paper, written as loops."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.objectives import vicreg
from vssl.objectives.base import Objective
from vssl.types import Images, Point


def rows(seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(9, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 2


def covariance_of(z: Tensor, i: int, j: int) -> float:
    means = z.mean(0)
    return sum(float((z[n, i] - means[i]) * (z[n, j] - means[j])) for n in range(len(z))) / (len(z) - 1)


def equations_1_and_2(z: Tensor) -> float:
    """v(Z) = 1/d sum_j max(0, 1 - sqrt(Var(z_j) + 1e-4))."""
    dimensions = z.shape[1]
    return sum(max(0.0, 1 - math.sqrt(covariance_of(z, j, j) + 1e-4)) for j in range(dimensions)) / dimensions


def equations_3_and_4(z: Tensor) -> float:
    """c(Z) = 1/d sum_{i != j} C(Z)_ij^2."""
    dimensions = z.shape[1]
    pairs = [(i, j) for i in range(dimensions) for j in range(dimensions) if i != j]
    return sum(covariance_of(z, i, j) ** 2 for i, j in pairs) / dimensions


def equation_5(first: Tensor, second: Tensor) -> float:
    """s(Z, Z') = 1/n sum_i |z_i - z'_i|^2, and divided by d."""
    return sum(float((a - b).square().sum()) for a, b in zip(first, second, strict=True)) / first.numel()


@pytest.mark.parametrize("scale", [0.1, 0.9, 3.0])
def test_the_terms_are_those_of_the_paper(scale: float):
    first, second = rows(0, scale), rows(1, scale)
    assert float(vicreg.invariance(first, second)) == pytest.approx(equation_5(first, second))
    assert float(vicreg.variance(first)) == pytest.approx(equations_1_and_2(first))
    assert float(vicreg.covariance(first)) == pytest.approx(equations_3_and_4(first))


def test_spread_independent_dimensions_have_no_loss_and_constant_ones_have_the_whole_hinge():
    square = 2 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert vicreg.variance(square) == 0
    assert vicreg.covariance(square) == 0
    assert float(vicreg.variance(torch.ones(4, 2))) == pytest.approx(1 - 0.01)


def test_the_loss_is_equation_6_of_the_projections(
    make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]
):
    objective = make_objective(vicreg.Config(invariance=3.0, variance=2.0, covariance=0.5, latent=16, hidden=32))
    views = two_views()
    total = float(objective(views).total.detach())
    first, second = objective.head(objective.encoder(Images.cat(views))).detach().double().chunk(2)
    expected = 3.0 * equation_5(first, second)
    expected += 2.0 * (equations_1_and_2(first) + equations_1_and_2(second))
    expected += 0.5 * (equations_3_and_4(first) + equations_3_and_4(second))
    assert total == pytest.approx(expected, rel=1e-4)


def test_it_claims_no_variance(make_objective: Callable[..., Objective]):
    objective = make_objective(vicreg.Config(latent=16, hidden=32))
    assert isinstance(objective.latent(torch.randn(4, objective.encoder.features)), Point)


@pytest.mark.parametrize("name", ["invariance", "variance", "covariance"])
def test_a_negative_weight_is_refused(name: str):
    with pytest.raises(ConfigError, match=rf"vicreg\.{name} is -1\.0; it must be in the range \[0, inf\)"):
        vicreg.Config(**{name: -1.0})
