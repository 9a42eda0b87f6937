"""LeJEPA: views predict each other, their distribution is N(0, I) (Balestriero and LeCun 2025, arXiv 2511.08544)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective
from vssl.stats.gather import gather, world_size
from vssl.types import Loss, View

# The integrand is even, and the weight exp(-t^2 / 2) leaves nothing of it beyond 5.
_REACH, _KNOTS = 5.0, 17


@dataclass(frozen=True)
class Config:
    """LeJEPA.

    Attributes:
        regularisation: Share of SIGReg in the loss (the paper's lambda), above 0 and below 1.
        directions: Random directions on which SIGReg looks in each step, 1 or more.
        latent: Dimensions of the projection.
        hidden: Width of the projector's hidden layer.
    """

    regularisation: float = 0.05
    directions: int = 256
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        if not 0 < self.regularisation < 1:
            raise ConfigError(f"lejepa.regularisation is {self.regularisation}; it must be above 0 and below 1.")
        if self.directions < 1:
            raise ConfigError(f"lejepa.directions is {self.directions}; it must be 1 or more.")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return LeJEPA(config, encoder)


def prediction(projections: Float[Tensor, "V B D"]) -> Float[Tensor, ""]:
    """The mean squared distance of the views' projections to their mean over the views, per dimension."""
    return (projections - projections.mean(0)).square().mean()


def sigreg(projections: Float[Tensor, "B D"], directions: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """Sketched isotropic Gaussian regularisation: the Epps-Pulley statistic on each direction, averaged."""
    with torch.autocast(projections.device.type, enabled=False):
        return epps_pulley(projections @ directions.mT).mean()


def epps_pulley(values: Float[Tensor, "B M"]) -> Float[Tensor, " M"]:
    """How far each column lies from N(0, 1): N times the integral of |f(t) - exp(-t^2 / 2)|^2 exp(-t^2 / 2) dt.

    f is the empirical characteristic function of the N values of all processes: the mean of exp(i t x). The integral
    goes from -5 to 5 by the trapezoid rule. The test is that of Epps and Pulley (1983).
    """
    t = torch.linspace(0, _REACH, _KNOTS, dtype=values.dtype, device=values.device)
    angles = values[:, :, None] * t
    # Processes have equally many rows: the mean of their means is the mean of all.
    real, imaginary = (gather(wave.mean(0)[None]).mean(0) for wave in (angles.cos(), angles.sin()))
    gaussian = (-0.5 * t.square()).exp()
    distance = (real - gaussian).square() + imaginary.square()
    return len(values) * world_size() * 2 * torch.trapezoid(distance * gaussian, t)


class LeJEPA(Objective):
    """Encoder, projector, prediction, SIGReg on each view."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.head = projector(encoder.features, config.hidden, config.latent)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        latent = self.latent(self.encoder(type(views[0]).cat(views)))
        projections = latent.mean.unflatten(0, (len(views), -1))
        directions = self._directions(latent.mean, generator)
        predicted = prediction(projections)
        regularity = torch.stack([sigreg(view, directions) for view in projections]).mean()
        share = self.config.regularisation
        parts = {"prediction": predicted.detach(), "sigreg": regularity.detach()}
        return Loss((1 - share) * predicted + share * regularity, latent.detach(), parts)

    def _directions(self, like: Tensor, generator: torch.Generator | None) -> Float[Tensor, "M D"]:
        """Random unit vectors, the same in all processes and for all views, as their generators have the same state."""
        shape = (self.config.directions, self.config.latent)
        return F.normalize(torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device), dim=1)
