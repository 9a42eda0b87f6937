"""Collapse is named for what it is."""

import torch
from torch import Tensor

from vssl.training.health import GRACE, latent_statistics
from vssl.types import Gaussian, Point


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_latents_that_fill_the_space_are_healthy():
    latents = latent_statistics(Gaussian(random(256, 32), random(256, 1)), progress=0.5)
    assert latents.health == "healthy"
    assert latents.effective_rank > 28
    assert 0.9 < latents.total_std <= 1
    assert abs(latents.log_variance) < 0.2


def test_one_latent_for_all_samples_is_a_complete_collapse():
    constant = random(1, 32).expand(256, 32) + 1e-3 * random(256, 32)
    assert latent_statistics(Point(constant), progress=0.5).health.startswith("complete collapse")


def test_latents_on_a_line_are_a_dimensional_collapse():
    line = random(256, 1) @ random(1, 32)
    health = latent_statistics(Point(line + 1e-4 * random(256, 32)), progress=0.5).health
    assert health.startswith("dimensional collapse: effective rank 1.")
    assert health.endswith("of 32")


def test_a_small_batch_in_many_dimensions_is_no_collapse():
    assert latent_statistics(Point(random(16, 1024)), progress=0.5).health == "healthy"


def test_one_variance_for_all_samples_is_a_variance_collapse():
    latents = latent_statistics(Gaussian(random(256, 32), torch.full((256, 1), -6.0)), progress=0.5)
    assert latents.health.startswith("variance collapse")
    assert latents.log_variance == -6


def test_a_point_has_no_variance_that_could_collapse():
    latents = latent_statistics(Point(random(256, 32)), progress=0.5)
    assert latents.health == "healthy"
    assert latents.log_variance is None


def test_the_start_of_a_run_is_not_judged():
    constant = Point(torch.ones(64, 32))
    assert latent_statistics(constant, progress=GRACE / 2).health == "healthy"
    assert latent_statistics(constant, progress=GRACE).health != "healthy"
