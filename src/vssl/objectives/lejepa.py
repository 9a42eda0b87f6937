"""LeJEPA: views predict each other, their distribution is N(0, I) (Balestriero and LeCun 2025, arXiv 2511.08544)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective, check_ranges
from vssl.stats.gather import gather, world_size
from vssl.types import Loss, View

# The integrand is even, and the weight exp(-t^2 / 2) is negligible beyond 5.
_INTEGRATION_LIMIT, _KNOTS = 5.0, 17


@dataclass(frozen=True)
class Config:
    """LeJEPA.

    Attributes:
        regularisation: Weight lambda of SIGReg; the prediction loss has 1 - lambda. Above 0 and below 1.
        directions: M, the number of random directions of SIGReg per step, 1 or more.
        latent: Dimensions of the projection.
        hidden: Width of the projector's hidden layer.
    """

    regularisation: float = 0.05
    directions: int = 256
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        check_ranges(self, regularisation="(0, 1)", directions="[1, inf)", latent="[1, inf)", hidden="[1, inf)")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return LeJEPA(config, encoder)


def prediction(projections: Float[Tensor, "V B D"]) -> Float[Tensor, ""]:
    """The mean squared distance of the projections to their mean over the views, per dimension."""
    return (projections - projections.mean(0)).square().mean()


def sigreg(projections: Float[Tensor, "B D"], directions: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """Sketched isotropic Gaussian regularisation: the mean of the Epps-Pulley statistic over the directions."""
    with torch.autocast(projections.device.type, enabled=False):
        return epps_pulley(projections @ directions.mT).mean()


def epps_pulley(values: Float[Tensor, "B M"]) -> Float[Tensor, " M"]:
    """The distance of each column from N(0, 1): N times the integral of |f(t) - exp(-t^2 / 2)|^2 exp(-t^2 / 2) dt.

    f is the empirical characteristic function of the N values of all processes, the mean of exp(i t x). The integral
    is computed from -5 to 5 by the trapezoidal rule. Source: Epps and Pulley (1983).
    """
    t = torch.linspace(0, _INTEGRATION_LIMIT, _KNOTS, dtype=values.dtype, device=values.device)
    angles = values[:, :, None] * t
    # All processes have the same number of rows, so the mean of their means is the mean over all rows.
    real, imaginary = (gather(wave.mean(0)[None]).mean(0) for wave in (angles.cos(), angles.sin()))
    gaussian = (-0.5 * t.square()).exp()
    distance = (real - gaussian).square() + imaginary.square()
    return len(values) * world_size() * 2 * torch.trapezoid(distance * gaussian, t)


class LeJEPA(Objective):
    """Encoder, projector, prediction loss, SIGReg on each view."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = projector(encoder.features, config.hidden, config.latent)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        latent = self.latent(self.encoder(type(views[0]).cat(views)))
        projections = latent.mean.reshape(len(views), -1, self.config.latent)
        directions = self._directions(latent.mean, generator)
        prediction_loss = prediction(projections)
        regularity = torch.stack([sigreg(view, directions) for view in projections]).mean()
        weight = self.config.regularisation
        parts = {"prediction": prediction_loss.detach(), "sigreg": regularity.detach()}
        return Loss((1 - weight) * prediction_loss + weight * regularity, latent.detach(), parts)

    def _directions(self, like: Tensor, generator: torch.Generator | None) -> Float[Tensor, "M D"]:
        """Random unit vectors, equal in all processes because their generators have the same state."""
        shape = (self.config.directions, self.config.latent)
        return F.normalize(torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device), dim=1)
