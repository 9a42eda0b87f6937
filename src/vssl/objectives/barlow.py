"""Barlow Twins: the two views' dimensions correlate each with itself alone (Zbontar et al. 2021, arXiv 2103.03230)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective, check_ranges
from vssl.stats.gather import gather
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """Barlow Twins.

    Attributes:
        off_diagonal: Weight of the correlations between different dimensions, lambda in equation 1, 0 or more. The
            default is the paper's.
        latent: Dimensions of the projection. The default is an eighth of the paper's, for small encoders.
        hidden: Width of the projector's two hidden layers. The default is an eighth of the paper's.
    """

    off_diagonal: float = 0.005
    latent: int = 1024
    hidden: int = 1024

    def __post_init__(self) -> None:
        check_ranges(self, off_diagonal="[0, inf)", latent="[1, inf)", hidden="[1, inf)")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return BarlowTwins(config, encoder)


def cross_correlation(first: Float[Tensor, "N D"], second: Float[Tensor, "N D"]) -> Float[Tensor, "D D"]:
    """The correlation of each dimension of the first view with each dimension of the second (equation 2)."""
    with torch.autocast(first.device.type, enabled=False):
        return _standardised(first).mT @ _standardised(second) / len(first)


def loss_parts(correlations: Float[Tensor, "D D"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The two sums of equation 1 without the weight: of (1 - C_ii)^2, and of C_ij^2 over j other than i.

    Both are divided by D, unlike in the paper, so that the loss is of order 1 at any width of the projection.
    """
    diagonal = correlations.diagonal()
    off_diagonal = correlations - diagonal.diag()
    return (1 - diagonal).square().mean(), off_diagonal.square().sum() / len(diagonal)


class BarlowTwins(Objective):
    """Encoder, projector, cross-correlation over the batch of all processes.

    The projector ends in a batch normalisation, because the loss depends neither on shift nor on scale.
    """

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = projector(encoder.features, config.hidden, config.latent, layers=3, norm=True)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        latent = self.latent(self.encoder(type(views[0]).cat(views)))
        first, second = (gather(projections) for projections in latent.mean.chunk(2))
        on_diagonal, off_diagonal = loss_parts(cross_correlation(first, second))
        parts = {"on_diagonal": on_diagonal.detach(), "off_diagonal": off_diagonal.detach()}
        return Loss(on_diagonal + self.config.off_diagonal * off_diagonal, latent.detach(), parts)


def _standardised(projections: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    """The projections with mean 0 and variance 1 over the batch, as in batch normalisation."""
    variance, mean = torch.var_mean(projections, dim=0, correction=0)
    return (projections - mean) * (variance + 1e-5).rsqrt()
