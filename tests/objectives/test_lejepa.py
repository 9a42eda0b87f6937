"""LeJEPA against the definitions of its paper: the integral by scipy, the loss as loops."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from vssl.errors import ConfigError
from vssl.objectives import lejepa
from vssl.objectives.base import Objective
from vssl.types import Images, Point


def statistic(x: np.ndarray) -> float:
    """N times the integral of |mean exp(i t x) - exp(-t^2 / 2)|^2 exp(-t^2 / 2) over t, from -5 to 5."""

    def integrand(t: float) -> float:
        return abs(np.exp(1j * t * x).mean() - math.exp(-(t**2) / 2)) ** 2 * math.exp(-(t**2) / 2)

    return len(x) * quad(integrand, -5, 5, limit=200)[0]


def closed_form(x: np.ndarray) -> float:
    """The same over all t: each of the three products is the integral of a cosine against a Gaussian."""
    pairs = np.exp(-((x[:, None] - x) ** 2) / 2).mean()
    singles = np.exp(-(x**2) / 4).mean() / math.sqrt(2)
    return len(x) * math.sqrt(2 * math.pi) * (pairs - 2 * singles + 1 / math.sqrt(3))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.1, 0.0), (2.0, 0.0), (1.0, 1.5)])
def test_the_statistic_is_the_integral(scale: float, shift: float):
    values = scale * normal(30, 2) + shift
    for column, result in zip(values.T.numpy(), lejepa.epps_pulley(values), strict=True):
        assert float(result) == pytest.approx(statistic(column), rel=1e-3)
        assert float(result) == pytest.approx(closed_form(column), rel=1e-3)


def test_the_statistic_of_normal_values_does_not_grow_with_their_number_and_that_of_others_does():
    few, many = (lejepa.epps_pulley(normal(rows, 200)).mean().item() for rows in (50, 800))
    assert many == pytest.approx(few, rel=0.2)
    few, many = (lejepa.epps_pulley(0.3 * normal(rows, 200)).mean().item() for rows in (50, 800))
    assert many == pytest.approx(16 * few, rel=0.1)


def test_the_prediction_is_the_mean_squared_distance_to_the_views_mean():
    projections = normal(3, 5, 4)
    total = 0.0
    for n in range(5):
        centre = sum(projections[v, n] for v in range(3)) / 3
        total += sum(float((projections[v, n] - centre).square().sum()) for v in range(3))
    assert float(lejepa.prediction(projections)) == pytest.approx(total / (3 * 5 * 4))


def test_sigreg_averages_the_statistic_over_the_directions():
    projections, directions = normal(20, 3), torch.nn.functional.normalize(normal(4, 3, seed=1), dim=1)
    expected = sum(statistic((projections @ direction).numpy()) for direction in directions) / 4
    assert float(lejepa.sigreg(projections, directions)) == pytest.approx(expected, rel=1e-3)


def test_the_loss_is_the_weighted_sum_of_both_on_all_views(
    make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]
):
    objective = make_objective(lejepa.Config(regularisation=0.2, directions=8, latent=16, hidden=32))
    views = two_views()
    result = objective(views, torch.Generator().manual_seed(3))
    projections = objective.head(objective.encoder(Images.cat(views))).detach().unflatten(0, (2, 16))
    directions = torch.randn(8, 16, generator=torch.Generator().manual_seed(3))
    directions /= directions.norm(dim=1, keepdim=True)
    regularity = sum(float(lejepa.sigreg(view, directions)) for view in projections) / 2
    expected = 0.8 * float(lejepa.prediction(projections)) + 0.2 * regularity
    assert float(result.total.detach()) == pytest.approx(expected, rel=1e-5)


def test_the_directions_are_new_in_each_step(
    make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]
):
    objective = make_objective(lejepa.Config(directions=2, latent=16, hidden=32))
    generator = torch.Generator().manual_seed(0)
    first, second = (objective(two_views(), generator).parts["sigreg"] for _ in range(2))
    assert first != second


def test_it_claims_no_variance(make_objective: Callable[..., Objective]):
    objective = make_objective(lejepa.Config(latent=16, hidden=32))
    assert isinstance(objective.latent(torch.randn(4, objective.encoder.features)), Point)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
def test_a_share_that_leaves_one_term_out_is_refused(share: float):
    with pytest.raises(ConfigError, match=rf"lejepa\.regularisation is {share}; it must be in the range \(0, 1\)"):
        lejepa.Config(regularisation=share)


def test_no_directions_are_refused():
    with pytest.raises(ConfigError, match=r"lejepa\.directions is 0; it must be in the range \[1, inf\)"):
        lejepa.Config(directions=0)
