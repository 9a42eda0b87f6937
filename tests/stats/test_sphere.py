"""Samples of von Mises-Fisher distributions: known moments and distributions, lengths, gradients, reproducibility."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import ive
from scipy.stats import kstest
from torch import Tensor

from vssl.stats import sphere


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def directions(rows: int, dimensions: int) -> Tensor:
    return F.normalize(torch.randn(rows, dimensions, generator=seeded(9), dtype=torch.float64), dim=1)


def draw(direction: Tensor, concentration: float, samples: int, seed: int = 0) -> Tensor:
    kappa = torch.full((len(direction), 1), concentration, dtype=direction.dtype)
    return sphere.sample(direction, kappa, samples, seeded(seed))


def mean_cosine(dimensions: int, concentration: float) -> float:
    """A_d(kappa) = I_{d/2}(kappa) / I_{d/2-1}(kappa)."""
    return ive(dimensions / 2, concentration) / ive(dimensions / 2 - 1, concentration)


@pytest.mark.parametrize("dimensions", [2, 3, 16, 128])
@pytest.mark.parametrize("concentration", [0.01, 1.0, 20.0, 500.0])
def test_the_cosine_to_the_direction_has_the_known_mean_and_variance(dimensions: int, concentration: float):
    direction, count = directions(1, dimensions), 20_000
    cosine = (draw(direction, concentration, count) * direction).sum(-1)
    mean = mean_cosine(dimensions, concentration)
    variance = 1 - mean**2 - (dimensions - 1) / concentration * mean
    assert cosine.mean().item() == pytest.approx(mean, abs=5 * math.sqrt(variance / count))
    assert cosine.var().item() == pytest.approx(variance, rel=0.08)


@pytest.mark.parametrize("concentration", [0.5, 5.0, 50.0])
def test_on_the_ordinary_sphere_the_cosine_has_its_closed_distribution(concentration: float):
    direction = directions(1, 3)
    cosine = (draw(direction, concentration, 5000) * direction).sum(-1).flatten().numpy()
    smallest = math.exp(-2 * concentration)
    test = kstest(cosine, lambda w: (np.exp(concentration * (w - 1)) - smallest) / (1 - smallest))
    assert test.pvalue > 0.01


def test_around_the_direction_all_sides_are_alike():
    direction, count = directions(1, 6), 50_000
    samples = draw(direction, 8.0, count)[:, 0]
    mean = mean_cosine(6, 8.0)
    torch.testing.assert_close(samples.mean(0), mean * direction[0], atol=0.01, rtol=0)
    across = mean / 8.0
    along = 1 - 5 * across
    expected = across * torch.eye(6).double() + (along - across) * direction.mT @ direction
    torch.testing.assert_close(samples.mT @ samples / count, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("concentration", [1e-3, 1.0, 1e3, 1e5])
def test_samples_have_length_1_and_finite_gradients(dtype: torch.dtype, concentration: float):
    direction = directions(7, 128).to(dtype).requires_grad_()
    kappa = torch.full((7, 1), concentration, dtype=dtype, requires_grad=True)
    samples = sphere.sample(direction, kappa, 50, seeded())
    assert samples.shape == (50, 7, 128)
    assert samples.dtype == dtype
    torch.testing.assert_close(samples.norm(dim=-1), torch.ones(50, 7, dtype=dtype))
    gradients = torch.autograd.grad(samples.sum(), [direction, kappa])
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


@pytest.mark.parametrize("concentration", [20.0, 128.0, 1000.0])
def test_the_gradient_to_the_concentration_is_that_of_the_expectation(concentration: float):
    direction = directions(1, 128)
    kappa = torch.full((1, 1), concentration, dtype=torch.float64, requires_grad=True)
    mean = (sphere.sample(direction, kappa, 50_000, seeded()) * direction).sum(-1).mean()
    (gradient,) = torch.autograd.grad(mean, kappa)
    step = 1e-3 * concentration
    expected = (mean_cosine(128, concentration + step) - mean_cosine(128, concentration - step)) / (2 * step)
    assert gradient.item() == pytest.approx(expected, rel=0.02)


def test_each_row_has_its_own_direction_and_concentration():
    direction = directions(2, 16)
    kappa = torch.tensor([[1.0], [200.0]], dtype=torch.float64)
    cosine = (sphere.sample(direction, kappa, 20_000, seeded()) * direction).sum(-1).mean(0)
    assert cosine.tolist() == pytest.approx([mean_cosine(16, 1.0), mean_cosine(16, 200.0)], abs=0.01)


def test_the_generator_alone_decides():
    direction = directions(4, 8)
    torch.manual_seed(1)
    first = draw(direction, 10.0, 3)
    torch.manual_seed(2)
    assert torch.equal(draw(direction, 10.0, 3), first)
    assert not torch.equal(draw(direction, 10.0, 3, seed=1), first)


def test_a_concentration_that_is_no_number_gives_samples_that_are_none():
    assert draw(directions(2, 8), math.nan, 3).isnan().all()
