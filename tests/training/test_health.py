"""Collapse is named for what it is."""

import torch
from torch import Tensor

from vssl.training.health import GRACE, examine
from vssl.types import Gaussian, Point


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_latents_that_fill_the_space_are_healthy():
    health = examine(Gaussian(random(256, 32), random(256, 1)), share=0.5)
    assert health.verdict == "healthy"
    assert health.effective_rank > 28
    assert 0.9 < health.spread <= 1
    assert abs(health.log_variance) < 0.2


def test_one_latent_for_all_samples_is_a_complete_collapse():
    constant = random(1, 32).expand(256, 32) + 1e-3 * random(256, 32)
    assert examine(Point(constant), share=0.5).verdict.startswith("complete collapse")


def test_latents_on_a_line_are_a_dimensional_collapse():
    line = random(256, 1) @ random(1, 32)
    verdict = examine(Point(line + 1e-4 * random(256, 32)), share=0.5).verdict
    assert verdict.startswith("dimensional collapse: effective rank 1.")
    assert verdict.endswith("of 32")


def test_a_small_batch_in_many_dimensions_is_no_collapse():
    assert examine(Point(random(16, 1024)), share=0.5).verdict == "healthy"


def test_one_variance_for_all_samples_is_a_variance_collapse():
    health = examine(Gaussian(random(256, 32), torch.full((256, 1), -6.0)), share=0.5)
    assert health.verdict.startswith("variance collapse")
    assert health.log_variance == -6


def test_a_point_has_no_variance_that_could_collapse():
    health = examine(Point(random(256, 32)), share=0.5)
    assert health.verdict == "healthy"
    assert health.log_variance is None


def test_the_start_of_a_run_is_not_judged():
    constant = Point(torch.ones(64, 32))
    assert examine(constant, share=GRACE / 2).verdict == "healthy"
    assert examine(constant, share=GRACE).verdict != "healthy"
