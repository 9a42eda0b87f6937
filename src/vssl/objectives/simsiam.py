"""SimSiam: two views predict each other, with no negatives and no teacher (Chen and He 2021, arXiv 2011.10566)."""

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
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """SimSiam.

    Attributes:
        latent: Dimensions of the projection. The default is a quarter of the paper's, for small encoders.
        hidden: Width of the projector's hidden layers. The default is a quarter of the paper's.
        bottleneck: Width of the predictor's hidden layer. The default is a quarter of `latent`, as in the paper.
    """

    latent: int = 512
    hidden: int = 512
    bottleneck: int = 128

    def __post_init__(self) -> None:
        check_ranges(self, bottleneck="[1, inf)", latent="[1, inf)", hidden="[1, inf)")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return SimSiam(config, encoder)


def negative_cosine(predictions: Float[Tensor, "VB D"], targets: Float[Tensor, "VB D"]) -> Float[Tensor, ""]:
    """Minus the cosine between each prediction and the target of the other view, without gradient (equations 1 to 4).

    Args:
        predictions, targets: The first views of all samples, then the second ones.
    """
    other_view = targets.detach().float().roll(len(targets) // 2, 0)
    return -F.cosine_similarity(predictions.float(), other_view, dim=1).mean()


class SimSiam(Objective):
    """Encoder, projector with batch-normalised output, predictor with a bottleneck."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = projector(encoder.features, config.hidden, config.latent, layers=3, norm=True)
        self.predictor = projector(config.latent, config.bottleneck, config.latent)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        latent = self.latent(self.encoder(type(views[0]).cat(views)))
        total = negative_cosine(self.predictor(latent.mean), latent.mean)
        return Loss(total, latent.detach(), {"cosine": -total.detach()})
