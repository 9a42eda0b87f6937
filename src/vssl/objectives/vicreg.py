"""VICReg: invariance, variance and covariance, each by its own term (Bardes et al. 2022, arXiv 2105.04906)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective
from vssl.stats.gather import gather
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """VICReg.

    Attributes:
        invariance: Weight of the squared distance of the two views, 0 or more.
        variance: Weight of the hinge that keeps each dimension's standard deviation at 1 or above, 0 or more.
        covariance: Weight of the covariances between different dimensions, 0 or more.
        latent: Dimensions of the projection.
        hidden: Width of the projector's two hidden layers.
    """

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    latent: int = 1024
    hidden: int = 1024

    def __post_init__(self) -> None:
        for name in ("invariance", "variance", "covariance"):
            if (weight := getattr(self, name)) < 0:
                raise ConfigError(f"vicreg.{name} is {weight}; it must be 0 or more.")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return VICReg(config, encoder)


def invariance(first: Float[Tensor, "N D"], second: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """The squared distance of the two views (equation 5), averaged over the dimensions too as in algorithm 1."""
    return (first - second).square().mean()


def variance(projections: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """How far the dimensions' standard deviations stay below 1, on average (equations 1 and 2)."""
    return (1 - (projections.var(0) + 1e-4).sqrt()).relu().mean()


def covariance(projections: Float[Tensor, "N D"]) -> Float[Tensor, ""]:
    """The sum of the squared covariances between different dimensions, divided by D (equations 3 and 4)."""
    deviations = projections - projections.mean(0)
    with torch.autocast(deviations.device.type, enabled=False):
        covariances = deviations.mT @ deviations / (len(deviations) - 1)
    others = covariances - covariances.diagonal().diag()
    return others.square().sum() / len(others)


class VICReg(Objective):
    """Encoder, projector (the paper's expander), three terms over the batch of all processes."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.head = projector(encoder.features, config.hidden, config.latent, layers=3)
        # No term sees a shift of all projections: a bias would follow rounding errors alone.
        self.head[-1] = nn.Linear(config.hidden, config.latent, bias=False)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        first, second = views
        latent = self.latent(self.encoder(type(first).cat([first, second])))
        first_projections, second_projections = (gather(projections) for projections in latent.mean.chunk(2))
        parts = {
            "invariance": invariance(first_projections, second_projections),
            "variance": variance(first_projections) + variance(second_projections),
            "covariance": covariance(first_projections) + covariance(second_projections),
        }
        total = (
            self.config.invariance * parts["invariance"]
            + self.config.variance * parts["variance"]
            + self.config.covariance * parts["covariance"]
        )
        return Loss(total, latent.detach(), {name: value.detach() for name, value in parts.items()})
