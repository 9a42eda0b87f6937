"""The variational autoencoder (Kingma and Welling 2014, arXiv 1312.6114), the baseline that reconstructs its input.

Each view is a sample of its own: nothing pulls the two views of a sample together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import GaussianHead
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective
from vssl.stats import gaussian
from vssl.types import Gaussian, Loss, View


@dataclass(frozen=True)
class Config:
    """The variational autoencoder.

    Attributes:
        latent: D, the dimensions of the latent space.
        hidden: Width of the heads' hidden layers.
        beta: Weight of the KL to the prior, 0 or more (Higgins et al. 2017): 1 is the evidence lower bound.
        log_variance_range: Bounds of the posterior's log-variance, in nats.
    """

    latent: int = 128
    hidden: int = 512
    beta: float = 1.0
    log_variance_range: tuple[float, float] = (-6.0, 2.0)

    def __post_init__(self) -> None:
        low, high = self.log_variance_range
        if self.beta < 0:
            raise ConfigError(f"vae.beta is {self.beta}; it must be 0 or more.")
        if not low < high:
            raise ConfigError(f"vae.log_variance_range is {low}..{high}; it must be an interval low < high.")


def build(config: Config, encoder: Encoder, modality: Modality) -> Objective:
    return VAE(config, encoder, modality)


class VAE(Objective):
    """Encoder, Gaussian head, the modality's decoder."""

    def __init__(self, config: Config, encoder: Encoder, modality: Modality) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.head = GaussianHead(
            encoder.features, config.hidden, config.latent, config.latent, config.log_variance_range
        )
        self.decoder = modality.decoder(config.latent)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        """The negative evidence lower bound (equation 3) in nats per dimension of the input, averaged over the views.

        One sample of the posterior a view (equation 7, L = 1).
        """
        both = type(views[0]).cat(views)
        posterior = self.latent(self.encoder(both))
        reconstruction = self.decoder.log_likelihood(gaussian.sample(posterior, generator), both).mean()
        kl = kl_to_prior(posterior).mean()
        total = (self.config.beta * kl - reconstruction) / self.decoder.dimensions
        return Loss(total, posterior.detach(), {"reconstruction_nats": reconstruction.detach(), "kl_nats": kl.detach()})

    def latent(self, features: Float[Tensor, "B F"]) -> Gaussian:
        return self.head(features)


def kl_to_prior(posterior: Gaussian) -> Float[Tensor, " B"]:
    """KL(q || N(0, I)) in nats (appendix B)."""
    prior = Gaussian(torch.zeros_like(posterior.mean), torch.zeros_like(posterior.log_variance))
    return gaussian.kl_euclidean(posterior, prior)
