"""The Gaussian head."""

import pytest
import torch

from vssl.encoders.heads import GaussianHead


@pytest.mark.parametrize("variances", [1, 8])
def test_means_are_free_and_log_variances_stay_in_their_range(variances: int):
    torch.manual_seed(0)
    head = GaussianHead(12, 16, latent=8, variances=variances, log_variance_range=(-3.0, 1.0)).eval()
    latent = head(1e4 * torch.randn(32, 12))
    assert latent.mean.shape == (32, 8)
    assert latent.log_variance.shape == (32, variances)
    assert latent.mean.abs().max().item() > 100
    assert -3 <= latent.log_variance.min().item() < -2.9
    assert 0.9 < latent.log_variance.max().item() <= 1


def test_the_latent_is_float32_even_where_the_features_are_not():
    head = GaussianHead(12, 16, latent=8, variances=1, log_variance_range=(-3.0, 1.0))
    with torch.autocast("cpu", torch.bfloat16):
        latent = head(torch.randn(4, 12))
    assert latent.mean.dtype == latent.log_variance.dtype == torch.float32


def test_under_bfloat16_near_samples_still_differ_in_their_variance():
    torch.manual_seed(0)
    head = GaussianHead(12, 16, latent=8, variances=1, log_variance_range=(-6.0, 2.0)).eval()
    features = torch.randn(1, 12) + 0.1 * torch.randn(1000, 12)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = head(features)
    assert found.mean.dtype == found.log_variance.dtype == torch.float32
    assert len(found.log_variance.unique()) > 900
