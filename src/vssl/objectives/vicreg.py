"""VICReg: one loss term each for invariance, variance and covariance (Bardes et al. 2022, arXiv 2105.04906)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective, check_ranges
from vssl.stats.gather import gather
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """VICReg.

    Attributes:
        invariance: Weight of the squared distance between the two views, 0 or more. The default is the paper's.
        variance: Weight of the hinge loss on standard deviations below 1, 0 or more. The default is the paper's.
        covariance: Weight of the covariances between different dimensions, 0 or more. The default is the paper's.
        latent: Dimensions of the projection. The default is an eighth of the paper's, for small encoders.
        hidden: Width of the projector's two hidden layers. The default is an eighth of the paper's.
    """

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    latent: int = 1024
    hidden: int = 1024

    def __post_init__(self) -> None:
        check_ranges(
            self,
            invariance="[0, inf)",
            variance="[0, inf)",
            covariance="[0, inf)",
            latent="[1, inf)",
            hidden="[1, inf)",
        )


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return VICReg(config, encoder)


def invariance(first: Float[Tensor, "N D"], second: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """The squared distance between the two views (equation 5), averaged over the dimensions as in algorithm 1."""
    return (first - second).square().mean()


def variance(projections: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """The mean hinge loss max(0, 1 - standard deviation) over the dimensions (equations 1 and 2)."""
    return (1 - (projections.var(0) + 1e-4).sqrt()).relu().mean()


def covariance(projections: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """The sum of the squared covariances between different dimensions, divided by D (equations 3 and 4)."""
    deviations = projections - projections.mean(0)
    with torch.autocast(deviations.device.type, enabled=False):
        covariances = deviations.mT @ deviations / (len(deviations) - 1)
    off_diagonal = covariances - covariances.diagonal().diag()
    return off_diagonal.square().sum() / len(off_diagonal)


class VICReg(Objective):
    """Encoder, projector (the paper's expander), three terms over the batch of all processes."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = projector(encoder.features, config.hidden, config.latent, layers=3)
        # No term depends on a shift of all projections: rounding errors alone would train a bias.
        self.head[-1] = nn.Linear(config.hidden, config.latent, bias=False)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        latent = self.latent(self.encoder(type(views[0]).cat(views)))
        first, second = (gather(projections) for projections in latent.mean.chunk(2))
        parts = {
            "invariance": invariance(first, second),
            "variance": variance(first) + variance(second),
            "covariance": covariance(first) + covariance(second),
        }
        total = (
            self.config.invariance * parts["invariance"]
            + self.config.variance * parts["variance"]
            + self.config.covariance * parts["covariance"]
        )
        return Loss(total, latent.detach(), {name: value.detach() for name, value in parts.items()})
