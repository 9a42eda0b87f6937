"""MoCo v3: the student finds its sample among the momentum teacher's batch (Chen et al. 2021, arXiv 2104.02057)."""

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
from vssl.stats.gather import gather, rank
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """MoCo v3.

    Attributes:
        temperature: Temperature of the softmax over cosines, above 0.
        ema_half_life: Half-life of the teacher at the start, as a share of the run, above 0 and up to 1; its momentum
            rises to 1 towards the end.
        latent: Dimensions of the projection.
        hidden: Width of the hidden layers of projector and predictor.
    """

    temperature: float = 0.2
    ema_half_life: float = 0.01
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"mocov3.temperature is {self.temperature}; it must be above 0.")
        if not 0 < self.ema_half_life <= 1:
            raise ConfigError(f"mocov3.ema_half_life is {self.ema_half_life}; it must be above 0 and at most 1.")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return MoCoV3(config, encoder)


def info_nce(queries: Float[Tensor, "B D"], keys: Float[Tensor, "B D"], temperature: float) -> Float[Tensor, ""]:
    """Equation 1 with the scale 2 T of the paper's Algorithm 1: each query's key is the one in its own row.

    The other keys are those of all processes.
    """
    queries, keys = F.normalize(queries.float(), dim=1), gather(F.normalize(keys.float(), dim=1))
    with torch.autocast(queries.device.type, enabled=False):
        logits = queries @ keys.mT / temperature
    own = torch.arange(len(queries), device=queries.device) + rank() * len(queries)
    return 2 * temperature * F.cross_entropy(logits, own)


class MoCoV3(Objective):
    """Encoder, projector, predictor; the teacher has the first two and makes the keys."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.head = projector(encoder.features, config.hidden, config.latent, norm=True)
        self.predictor = projector(config.latent, config.hidden, config.latent)
        self.teacher = Teacher(self.student(), config.ema_half_life, settles=True)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        assert self.teacher is not None
        both = type(views[0]).cat(views)
        latent = self.latent(self.encoder(both))
        queries, keys = self.predictor(latent.mean).chunk(2), self.teacher(both).chunk(2)
        temperature = self.config.temperature
        total = info_nce(queries[0], keys[1], temperature) + info_nce(queries[1], keys[0], temperature)
        return Loss(total, latent.detach(), {"info_nce": total.detach()})
