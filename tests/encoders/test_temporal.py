"""The temporal network and its decoder: what they see, and that only what is known counts."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal

from vssl.encoders.temporal import VARIANTS, Config, build
from vssl.encoders.temporal_decoder import TemporalDecoder
from vssl.types import Series


def series(batch: int = 4, channels: int = 3, rows: int = 64, seed: int = 0) -> Series:
    values = torch.randn(batch, channels, rows, generator=torch.Generator().manual_seed(seed))
    return Series(values, torch.ones_like(values))


@pytest.mark.parametrize(("variant", "million"), [("tiny", 0.03), ("small", 0.13), ("base", 0.6)])
def test_the_sizes_are_those_stated(variant: str, million: float):
    parameters = sum(p.numel() for p in build(Config(variant), (3, 64)).parameters())
    assert parameters / 1e6 == pytest.approx(million, rel=0.15)


def test_one_changed_row_is_seen_at_its_place_and_in_the_features():
    torch.manual_seed(0)
    encoder = build(Config("tiny"), (3, 64)).eval()
    plain, changed = series(), series()
    changed.values[:, 1, 40] += 5
    (first, maps), (second, others) = (encoder.forward_with_patches(view) for view in (plain, changed))
    assert maps.shape == (4, VARIANTS["tiny"].width, 1, 64)
    moved = (maps - others).abs().sum((1, 2)).mean(0)
    assert moved[36:45].sum() > 0.99 * moved.sum()
    assert not torch.allclose(first, second)


def test_a_missing_value_is_not_a_value_of_zero():
    encoder = build(Config("tiny"), (3, 64)).eval()
    zero = Series(torch.zeros(1, 3, 64), torch.ones(1, 3, 64))
    missing = Series(torch.zeros(1, 3, 64), torch.zeros(1, 3, 64))
    assert not torch.allclose(encoder(zero), encoder(missing))


def test_the_likelihood_is_a_gaussians_over_what_is_known():
    torch.manual_seed(0)
    decoder, view = TemporalDecoder(4, (3, 50)).eval(), series(rows=50)
    view.known[:, :, 30:] = 0
    decoder.variance.fill_(0.5)
    z = torch.randn(4, 4)
    expected = (Normal(decoder(z), 0.5**0.5).log_prob(view.values) * view.known).sum((1, 2))
    torch.testing.assert_close(decoder.log_likelihood(z, view), expected, rtol=1e-4, atol=1e-3)


def test_in_training_the_variance_is_the_mean_squared_error_of_what_is_known():
    torch.manual_seed(0)
    decoder, view = TemporalDecoder(4, (2, 40)).train(), series(channels=2, rows=40)
    view.known[:, 1] = 0
    z = torch.randn(4, 4)
    squares = (decoder(z) - view.values).square()[:, 0].mean()
    found = decoder.log_likelihood(z, view).mean() / 40
    assert float(found) == pytest.approx(float(-0.5 * (1 + (2 * torch.pi * squares).log())), rel=0.02)
