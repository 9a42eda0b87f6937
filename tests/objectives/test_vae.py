"""The variational autoencoder against torch's distributions, and against a model whose evidence is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vssl.encoders.base import Decoder, Encoder
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.modalities.images.modality import ImageModality
from vssl.objectives import vae
from vssl.objectives.base import Objective
from vssl.types import Gaussian, Images

Make = Callable[..., Objective]
Views = Callable[..., list[Images]]


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_loss_is_the_negative_evidence_lower_bound_per_dimension(
    make_objective: Make, two_views: Views, beta: float
):
    objective = make_objective(vae.Config(latent=16, hidden=32, beta=beta))
    loss = objective(two_views(), torch.Generator().manual_seed(3))
    both = Images.cat(two_views())
    with torch.no_grad():
        posterior = objective.latent(objective.encoder(both))
        noise = torch.randn(32, 16, generator=torch.Generator().manual_seed(3))
        z = posterior.mean + noise * (posterior.log_variance / 2).exp()
        mean = objective.decoder(z).double()
    pixels = both.pixels.double()
    likelihood = Normal(mean, (pixels - mean).square().mean().sqrt()).log_prob(pixels).sum() / 32
    q = Normal(posterior.mean.double(), (posterior.log_variance.double() / 2).exp())
    kl = kl_divergence(q, Normal(0.0, 1.0)).sum() / 32
    assert float(loss.parts["reconstruction_nats"]) == pytest.approx(float(likelihood), rel=1e-5)
    assert float(loss.parts["kl_nats"]) == pytest.approx(float(kl), rel=1e-5)
    assert float(loss.total.detach()) == pytest.approx(float(beta * kl - likelihood) / (3 * 16 * 16), rel=1e-5)


def test_the_kl_is_what_samples_of_the_posterior_say():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    q, p = Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(4).double(), torch.ones(4).double())
    z = mean + q.scale * torch.randn(100_000, 3, 4, generator=generator, dtype=torch.float64)
    ratios = (q.log_prob(z) - p.log_prob(z)).sum(-1)
    error = ratios.std(0) / len(z) ** 0.5
    assert ((vae.kl_to_prior(Gaussian(mean, log_variance)) - ratios.mean(0)).abs() < 4 * error).all()


# x = W z + noise with orthogonal columns in W: posterior and evidence are known, and the posterior is diagonal.
WEIGHT = torch.tensor([[2.0, 0, 0], [0, 0.5, 0], [0, 0, 1.5], [0, 0, 2.0]], dtype=torch.float64)
NOISE_VARIANCE = 0.3


class LinearDecoder(Decoder):
    dimensions = 4

    def log_likelihood(self, z: Tensor, view: Any) -> Tensor:
        return Normal(z @ WEIGHT.mT, NOISE_VARIANCE**0.5).log_prob(view.pixels.flatten(1)).sum(1)


class Posterior(nn.Module):
    """The exact posterior, or one that misses it."""

    def __init__(self, error: float) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: Tensor) -> Gaussian:
        precision = 1 + WEIGHT.square().sum(0) / NOISE_VARIANCE
        mean = x @ WEIGHT / NOISE_VARIANCE / precision
        return Gaussian(mean + self.error, self.error - precision.log().expand(len(x), 3))


class Flat(Encoder):
    features = 4

    def forward(self, view: Any) -> Tensor:
        return view.pixels.flatten(1)


class LinearModality(ImageModality):
    def __init__(self) -> None:
        pass

    def decoder(self, latent: int) -> Any:
        return LinearDecoder()


@pytest.mark.parametrize("error", [0.0, 0.5])
def test_with_the_exact_posterior_the_bound_is_the_evidence_and_below_it_otherwise(error: float):
    objective = vae.build(vae.Config(latent=3, hidden=4), Flat(), LinearModality())
    objective.head = Posterior(error)
    x = torch.tensor([0.3, -1.0, 0.8, 2.0], dtype=torch.float64)
    views = [Images(x.expand(100_000, 4)[:, :, None, None])] * 2
    bound = -4 * float(objective(views, torch.Generator().manual_seed(0)).total.detach())
    covariance = WEIGHT @ WEIGHT.mT + NOISE_VARIANCE * torch.eye(4)
    evidence = float(MultivariateNormal(torch.zeros(4).double(), covariance).log_prob(x))
    used, exact = Posterior(error)(x[None]), Posterior(0.0)(x[None])
    q, p = (Normal(g.mean, (g.log_variance / 2).exp()) for g in (used, exact))
    assert bound == pytest.approx(evidence - float(kl_divergence(q, p).sum()), abs=0.03)


def test_data_without_a_decoder_are_refused_by_name(make_objective: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ImageModality, "decoder", Modality.decoder)
    with pytest.raises(ConfigError, match="The modality 'images' has no decoder"):
        make_objective(vae.Config(latent=16, hidden=32))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": -1.0}, r"vae\.beta is -1\.0; it must be in the range \[0, inf\)"),
        (
            {"log_variance_range": (2.0, 2.0)},
            r"vae\.log_variance_range is 2\.0\.\.2\.0; its first number must be below the second",
        ),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        vae.Config(**settings)
