"""SimCLR: agreement of two views against all other samples of the batch (Chen et al. 2020, arXiv 2002.05709)."""

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
from vssl.stats.gather import gather, rank
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """SimCLR.

    Attributes:
        temperature: Temperature of the softmax over cosines, above 0.
        latent: Dimensions of the projection.
        hidden: Width of the projector's hidden layer.
    """

    temperature: float = 0.1
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"simclr.temperature is {self.temperature}; it must be above 0.")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return SimCLR(config, encoder)


def nt_xent(projections: Float[Tensor, "V*B D"], temperature: float) -> Float[Tensor, ""]:
    """The normalised, temperature-scaled cross entropy (equation 1) of two views, the first B rows and the last B.

    The other samples are those of all processes.
    """
    local = F.normalize(projections.float(), dim=1)
    everyone = gather(local)
    with torch.autocast(local.device.type, enabled=False):
        logits = local @ everyone.mT / temperature
    own = torch.arange(len(local), device=local.device) + rank() * len(local)
    logits = logits.scatter(1, own[:, None], -torch.inf)
    return F.cross_entropy(logits, own.roll(len(local) // 2))


class SimCLR(Objective):
    """Encoder, projector, NT-Xent."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.head = projector(encoder.features, config.hidden, config.latent)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        first, second = views
        latent = self.latent(self.encoder(type(first).cat([first, second])))
        total = nt_xent(latent.mean, self.config.temperature)
        return Loss(total, latent.detach(), {"nt_xent_nats": total.detach()})
