"""BYOL: the student predicts what a momentum teacher makes of the other view (Grill et al. 2020, arXiv 2006.07733)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.encoders.teacher import Teacher
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective, check_ranges
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """BYOL.

    Attributes:
        ema_half_life: Half-life of the teacher at the start of the run, as a fraction of the run, above 0 and up to 1.
            Its momentum rises to 1 by a cosine, as in BYOL (arXiv 2006.07733, section 3.3).
        latent: Dimensions of the projection. The default is half of the paper's, for small encoders.
        hidden: Width of the hidden layers of projector and predictor. The default is an eighth of the paper's.
    """

    ema_half_life: float = 0.01
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        check_ranges(self, ema_half_life="(0, 1]", latent="[1, inf)", hidden="[1, inf)")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return BYOL(config, encoder)


def squared_distance(predictions: Float[Tensor, "VB D"], targets: Float[Tensor, "VB D"]) -> Float[Tensor, ""]:
    """2 - 2 cos(p, z) between each prediction p and the target z of the other view (equation 2), averaged.

    Args:
        predictions, targets: The first views of all samples, then the second ones.
    """
    other_view = targets.float().roll(len(targets) // 2, 0)
    return (2 - 2 * F.cosine_similarity(predictions.float(), other_view, dim=1)).mean()


class BYOL(Objective):
    """Encoder, projector and predictor; the teacher is a copy of encoder and projector."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = projector(encoder.features, config.hidden, config.latent)
        self.predictor = projector(config.latent, config.hidden, config.latent)
        self.teacher = Teacher(self.student(), config.ema_half_life, cosine_momentum=True)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        assert self.teacher is not None
        inputs = type(views[0]).cat(views)
        latent = self.latent(self.encoder(inputs))
        total = squared_distance(self.predictor(latent.mean), self.teacher(inputs))
        return Loss(total, latent.detach(), {"squared_distance": total.detach()})
