"""SimCLR against equation 1 of its paper, written as loops."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError
from vssl.objectives import simclr
from vssl.objectives.base import Objective
from vssl.types import Images, Point


def equation_1(z: Tensor, temperature: float) -> float:
    """l(i, j) = -log exp(sim(z_i, z_j) / T) / sum over k but i of exp(sim(z_i, z_k) / T), averaged over all pairs."""
    count = len(z)
    total = 0.0
    for i in range(count):
        j = (i + count // 2) % count
        similar = [float(z[i] @ z[k] / (z[i].norm() * z[k].norm())) / temperature for k in range(count)]
        others = sum(math.exp(similar[k]) for k in range(count) if k != i)
        total += -math.log(math.exp(similar[j]) / others)
    return total / count


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_is_equation_1(temperature: float):
    z = torch.randn(10, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(simclr.nt_xent(z, temperature)) == pytest.approx(equation_1(z, temperature), rel=1e-5)


def test_the_loss_is_nt_xent_of_the_projections(
    make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]
):
    objective = make_objective(simclr.Config(temperature=0.3, latent=16, hidden=32))
    first, second = two_views()
    loss = objective([first, second])
    projections = objective.head(objective.encoder(Images.cat([first, second]))).detach()
    assert float(loss.total.detach()) == pytest.approx(equation_1(projections.double(), 0.3), rel=1e-4)


def test_it_claims_no_variance(make_objective: Callable[..., Objective]):
    objective = make_objective(simclr.Config(latent=16, hidden=32))
    assert isinstance(objective.latent(torch.randn(4, objective.encoder.features)), Point)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ConfigError, match=r"simclr\.temperature is 0\.0; it must be in the range \(0, inf\)"):
        simclr.Config(temperature=0.0)
