"""MoCo v3: the student finds its sample among the momentum teacher's batch (Chen et al. 2021, arXiv 2104.02057)."""

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
from vssl.stats.gather import gather, local_indices
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """MoCo v3.

    Attributes:
        temperature: Temperature of the softmax over cosine similarities, above 0.
        ema_half_life: Half-life of the teacher at the start of the run, as a fraction of the run, above 0 and up to 1.
            Its momentum rises to 1 by a cosine, as in BYOL (arXiv 2006.07733, section 3.3).
        latent: Dimensions of the projection. The default is half of the paper's, for small encoders.
        hidden: Width of the hidden layers of projector and predictor. The default is an eighth of the paper's.
    """

    temperature: float = 0.2
    ema_half_life: float = 0.01
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        check_ranges(self, temperature="(0, inf)", ema_half_life="(0, 1]", latent="[1, inf)", hidden="[1, inf)")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return MoCoV3(config, encoder)


def info_nce(queries: Float[Tensor, "B D"], keys: Float[Tensor, "B D"], temperature: float) -> Float[Tensor, ""]:
    """InfoNCE (equation 1) times 2 T, as in algorithm 1 of the paper.

    The positive key of a query is the one in the same row; the negatives are all other keys of all processes.
    """
    queries, keys = F.normalize(queries.float(), dim=1), gather(F.normalize(keys.float(), dim=1))
    with torch.autocast(queries.device.type, enabled=False):
        logits = queries @ keys.mT / temperature
    return 2 * temperature * F.cross_entropy(logits, local_indices(queries))


class MoCoV3(Objective):
    """Encoder, projector and predictor; the teacher, a copy of encoder and projector, computes the keys."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = projector(encoder.features, config.hidden, config.latent, norm=True)
        self.predictor = projector(config.latent, config.hidden, config.latent)
        self.teacher = Teacher(self.student(), config.ema_half_life, cosine_momentum=True)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        assert self.teacher is not None
        inputs = type(views[0]).cat(views)
        latent = self.latent(self.encoder(inputs))
        queries, keys = self.predictor(latent.mean).chunk(2), self.teacher(inputs).chunk(2)
        temperature = self.config.temperature
        total = info_nce(queries[0], keys[1], temperature) + info_nce(queries[1], keys[0], temperature)
        return Loss(total, latent.detach(), {"info_nce": total.detach()})
