"""MCInfoNCE against the loss of its paper, written as loops."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vssl.errors import ConfigError
from vssl.objectives import mcinfonce, simclr
from vssl.objectives.base import Objective
from vssl.stats import sphere
from vssl.types import Gaussian, Images


def reference(samples: Tensor, concentration: float) -> float:
    """-ln 1/K sum_k exp(c z z+) / (exp(c z z+) + sum over both views z- of the other samples exp(c z z-))."""
    draws, count = samples.shape[:2]
    total = 0.0
    for i in range(count):
        partner = (i + count // 2) % count
        chance = 0.0
        for k in range(draws):
            weights = [math.exp(concentration * float(samples[k, i] @ samples[k, j])) for j in range(count)]
            negatives = sum(weights[j] for j in range(count) if j not in (i, partner))
            chance += weights[partner] / (weights[partner] + negatives) / draws
        total -= math.log(chance)
    return total / count


def points(*shape: int) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=-1)


@pytest.mark.parametrize("concentration", [1.0, 20.0])
def test_the_loss_is_that_of_the_paper(concentration: float):
    samples = points(5, 8, 6)
    expected = reference(samples, concentration)
    assert float(mcinfonce.mc_info_nce(samples, concentration)) == pytest.approx(expected)


def test_with_one_sample_it_is_nt_xent():
    samples = points(1, 10, 6)
    expected = float(simclr.nt_xent(samples[0], 1 / 20))
    assert float(mcinfonce.mc_info_nce(samples, 20.0)) == pytest.approx(expected, rel=1e-5)


def test_equal_samples_leave_the_other_view_to_chance():
    samples = points(1, 1, 6).expand(4, 10, 6)
    assert float(mcinfonce.mc_info_nce(samples, 20.0)) == pytest.approx(math.log(9))


def test_the_views_may_change_places():
    samples = points(3, 8, 6)
    swapped = samples.roll(4, 1)
    torch.testing.assert_close(mcinfonce.mc_info_nce(swapped, 20.0), mcinfonce.mc_info_nce(samples, 20.0))


def test_the_loss_is_that_of_samples_of_the_posteriors(
    make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]
):
    config = mcinfonce.Config(samples=3, concentration=5.0, latent=16, hidden=32)
    objective = make_objective(config)
    views = two_views()
    result = objective(views, torch.Generator().manual_seed(3))
    raw = objective.head(objective.encoder(Images.cat(views)))
    concentration = 16 / raw.log_variance.exp()
    samples = sphere.sample(F.normalize(raw.mean), concentration, 3, torch.Generator().manual_seed(3)).detach()
    assert float(result.total.detach()) == pytest.approx(reference(samples.double(), 5.0), rel=1e-4)
    assert float(result.parts["concentration"]) == pytest.approx(concentration.mean().item(), rel=1e-5)


def test_the_latent_is_an_isotropic_gaussian_on_the_sphere_of_radius_sqrt_d(make_objective: Callable[..., Objective]):
    objective = make_objective(mcinfonce.Config(latent=16, hidden=32))
    latent = objective.latent(torch.randn(4, objective.encoder.features))
    assert isinstance(latent, Gaussian)
    assert latent.log_variance.shape == (4, 1)
    torch.testing.assert_close(latent.mean.norm(dim=1), torch.full((4,), 4.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, r"mcinfonce\.samples is 0; it must be in the range \[1, inf\)"),
        ({"concentration": 0.0}, r"mcinfonce\.concentration is 0\.0; it must be in the range \(0, inf\)"),
        ({"latent": 1}, r"mcinfonce\.latent is 1; it must be in the range \[2, inf\)"),
        (
            {"log_variance_range": (1.0, 1.0)},
            r"mcinfonce\.log_variance_range is 1\.0\.\.1\.0; its first number must be below",
        ),
    ],
)
def test_settings_without_meaning_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        mcinfonce.Config(**settings)
