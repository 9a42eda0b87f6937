"""Barlow Twins: the two views' dimensions correlate each with itself alone (Zbontar et al. 2021, arXiv 2103.03230)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective
from vssl.stats.gather import gather
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """Barlow Twins.

    Attributes:
        off_diagonal: Weight of the correlations between different dimensions (the paper's lambda), 0 or more.
        latent: Dimensions of the projection.
        hidden: Width of the projector's two hidden layers.
    """

    off_diagonal: float = 0.005
    latent: int = 1024
    hidden: int = 1024

    def __post_init__(self) -> None:
        if self.off_diagonal < 0:
            raise ConfigError(f"barlow.off_diagonal is {self.off_diagonal}; it must be 0 or more.")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return BarlowTwins(config, encoder)


def cross_correlation(first: Float[Tensor, "N D"], second: Float[Tensor, "N D"]) -> Float[Tensor, "D D"]:
    """The correlation of each dimension of the first view with each of the second (equation 2)."""
    with torch.autocast(first.device.type, enabled=False):
        return _standardised(first).mT @ _standardised(second) / len(first)


def loss_parts(correlations: Float[Tensor, "D D"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The two sums of equation 1, without the weight: of (1 - C_ii)^2, and of C_ij^2 over j other than i.

    Both are divided by D, which the paper does not do: the loss is of order 1 at any width of the projection.
    """
    diagonal = correlations.diagonal()
    others = correlations - diagonal.diag()
    return (1 - diagonal).square().mean(), others.square().sum() / len(diagonal)


class BarlowTwins(Objective):
    """Encoder, projector, cross-correlation over the batch of all processes.

    The projector ends in a batch normalisation: the loss sees neither shift nor scale of a projection.
    """

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.head = projector(encoder.features, config.hidden, config.latent, layers=3, norm=True)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        first, second = views
        latent = self.latent(self.encoder(type(first).cat([first, second])))
        everyone = [gather(projections) for projections in latent.mean.chunk(2)]
        on_diagonal, off_diagonal = loss_parts(cross_correlation(*everyone))
        parts = {"on_diagonal": on_diagonal.detach(), "off_diagonal": off_diagonal.detach()}
        return Loss(on_diagonal + self.config.off_diagonal * off_diagonal, latent.detach(), parts)


def _standardised(projections: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the batch, as batch normalisation has it."""
    variance, mean = torch.var_mean(projections, dim=0, correction=0)
    return (projections - mean) * (variance + 1e-5).rsqrt()
