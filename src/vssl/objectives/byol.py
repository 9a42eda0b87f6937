"""BYOL: the student predicts what a momentum teacher makes of the other view (Grill et al. 2020, arXiv 2006.07733)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.encoders.teacher import Teacher
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """BYOL.

    Attributes:
        ema_half_life: Half-life of the teacher at the start, as a share of the run, above 0 and up to 1; its momentum
            rises to 1 towards the end.
        latent: Dimensions of the projection.
        hidden: Width of the hidden layers of projector and predictor.
    """

    ema_half_life: float = 0.01
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        if not 0 < self.ema_half_life <= 1:
            raise ConfigError(f"byol.ema_half_life is {self.ema_half_life}; it must be above 0 and at most 1.")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return BYOL(config, encoder)


def squared_distance(predictions: Float[Tensor, "V*B D"], targets: Float[Tensor, "V*B D"]) -> Float[Tensor, ""]:
    """|p - z|^2 = 2 - 2 cos(p, z) of each prediction and the other view's target (equation 2).

    The first B rows are one view and the last B the other.
    """
    others = targets.float().roll(len(targets) // 2, 0)
    return (2 - 2 * F.cosine_similarity(predictions.float(), others, dim=1)).mean()


class BYOL(Objective):
    """Encoder, projector, predictor; the teacher has the first two."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.head = projector(encoder.features, config.hidden, config.latent)
        self.predictor = projector(config.latent, config.hidden, config.latent)
        self.teacher = Teacher(self.student(), config.ema_half_life, settles=True)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        assert self.teacher is not None
        both = type(views[0]).cat(views)
        latent = self.latent(self.encoder(both))
        total = squared_distance(self.predictor(latent.mean), self.teacher(both))
        return Loss(total, latent.detach(), {"squared_distance": total.detach()})
