"""The decoder of images: its sizes, and its likelihood against torch's normal distribution."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from vssl.encoders.convdecoder import MIN_VARIANCE, MOMENTUM, ConvDecoder
from vssl.types import Images


def made(shape: tuple[int, int, int] = (3, 24, 40), batch: int = 6) -> tuple[ConvDecoder, Tensor, Images]:
    """A decoder of 8 dimensions in float64, latents and pixels."""
    torch.manual_seed(0)
    return ConvDecoder(8, shape).double(), torch.randn(batch, 8).double(), Images(torch.randn(batch, *shape).double())


def expected(pixels: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    return Normal(mean, variance.sqrt()).log_prob(pixels).sum(dim=(1, 2, 3))


@pytest.mark.parametrize("shape", [(3, 24, 40), (1, 32, 32), (3, 96, 96), (3, 33, 8), (1, 100, 64)])
def test_it_draws_images_of_any_size(shape: tuple[int, int, int]):
    decoder, z, view = made(shape, batch=2)
    assert decoder(z).shape == (2, *shape)
    assert decoder.log_likelihood(z, view).shape == (2,)
    assert decoder.dimensions == view.pixels[0].numel()


def test_it_has_the_stated_number_of_parameters():
    parameters = sum(parameter.numel() for parameter in ConvDecoder(128, (3, 32, 32)).parameters())
    assert parameters == pytest.approx(1.2e6, rel=0.05)


def test_in_training_the_variance_is_the_one_under_which_the_batch_is_likeliest():
    decoder, z, view = made()
    mean = decoder(z).detach()
    best = (view.pixels - mean).square().mean()
    result = decoder.log_likelihood(z, view)
    torch.testing.assert_close(result, expected(view.pixels, mean, best))
    assert all(result.mean() > expected(view.pixels, mean, factor * best).mean() for factor in (0.9, 1.1))


def test_afterwards_the_variance_is_the_running_mean_whatever_the_batch():
    decoder, z, view = made()
    best = (view.pixels - decoder(z)).square().mean()
    decoder.log_likelihood(z, view)
    torch.testing.assert_close(decoder.variance, (1 - MOMENTUM) * torch.ones(()).double() + MOMENTUM * best)
    decoder.eval()
    result = decoder.log_likelihood(z, view)
    torch.testing.assert_close(result, expected(view.pixels, decoder(z), decoder.variance))
    torch.testing.assert_close(decoder.log_likelihood(z[:2], Images(view.pixels[:2])), result[:2])


def test_the_gradient_is_that_of_the_likelihood_with_its_best_variance():
    decoder, z, view = made()
    z.requires_grad_()
    best = (view.pixels - decoder(z)).square().mean()
    (optimal,) = torch.autograd.grad(-0.5 * decoder.dimensions * best.log(), z)
    (gradient,) = torch.autograd.grad(decoder.log_likelihood(z, view).mean(), z)
    torch.testing.assert_close(gradient, optimal)


def test_a_perfect_reconstruction_is_no_infinite_likelihood():
    decoder, z, _ = made()
    perfect = Images(decoder(z).detach())
    result = decoder.log_likelihood(z, perfect)
    floor = torch.tensor(MIN_VARIANCE).double()
    torch.testing.assert_close(result, expected(perfect.pixels, perfect.pixels, floor), rtol=1e-6, atol=0)
