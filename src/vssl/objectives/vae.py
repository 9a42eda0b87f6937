"""The variational autoencoder (Kingma and Welling 2014, arXiv 1312.6114), a baseline that reconstructs its input.

Each view counts as a sample: no term of the loss compares the two views of a sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import GaussianHead
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective, check_increasing, check_ranges
from vssl.stats import gaussian
from vssl.types import Gaussian, Loss, View


@dataclass(frozen=True)
class Config:
    """The variational autoencoder.

    Attributes:
        latent: D, the dimensions of the latent space.
        hidden: Width of the hidden layers of the heads.
        beta: Weight of the KL divergence to the prior, 0 or more (Higgins et al. 2017). The default, 1, gives the
            evidence lower bound.
        log_variance_range: Bounds of the posterior's log-variance, in nats.
    """

    latent: int = 128
    hidden: int = 512
    beta: float = 1.0
    log_variance_range: tuple[float, float] = (-6.0, 2.0)

    def __post_init__(self) -> None:
        check_ranges(self, beta="[0, inf)", latent="[1, inf)", hidden="[1, inf)")
        check_increasing(self, "log_variance_range")


def build(config: Config, encoder: Encoder, modality: Modality) -> Objective:
    return VAE(config, encoder, modality)


class VAE(Objective):
    """Encoder, Gaussian head, decoder of the modality."""

    def __init__(self, config: Config, encoder: Encoder, modality: Modality) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = GaussianHead(
            encoder.features, config.hidden, config.latent, config.latent, config.log_variance_range
        )
        self.decoder = modality.decoder(config.latent)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        """The negative evidence lower bound (equation 3) in nats per input dimension, averaged over the views.

        It takes one sample of the posterior per view (equation 7, L = 1).
        """
        inputs = type(views[0]).cat(views)
        posterior = self.latent(self.encoder(inputs))
        reconstruction = self.decoder.log_likelihood(gaussian.sample(posterior, generator), inputs).mean()
        kl = kl_to_prior(posterior).mean()
        total = (self.config.beta * kl - reconstruction) / self.decoder.dimensions
        return Loss(total, posterior.detach(), {"reconstruction_nats": reconstruction.detach(), "kl_nats": kl.detach()})

    def latent(self, features: Float[Tensor, "B F"]) -> Gaussian:
        posterior: Gaussian = self.head(features)
        return posterior


def kl_to_prior(posterior: Gaussian) -> Float[Tensor, " B"]:
    """KL(q || N(0, I)) in nats (appendix B)."""
    prior = Gaussian(torch.zeros_like(posterior.mean), torch.zeros_like(posterior.log_variance))
    return gaussian.kl_euclidean(posterior, prior)
