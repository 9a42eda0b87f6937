"""SupCon: agreement of all views of a class, the upper bound that reads labels (Khosla et al. 2020, arXiv 2004.11362).

It is here to be compared with: what the same network, views and minutes would reach if every label were known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
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
    """SupCon.

    Attributes:
        label: Column of the metadata that holds the classes.
        temperature: Temperature of the softmax over cosines, above 0.
        latent: Dimensions of the projection.
        hidden: Width of the projector's hidden layer.
    """

    label: str = "label"
    temperature: float = 0.1
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"supcon.temperature is {self.temperature}; it must be above 0.")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return SupCon(config, encoder)


def loss_out(projections: Float[Tensor, "V*B D"], labels: Int[Tensor, " V*B"], temperature: float) -> Float[Tensor, ""]:
    """Equation 2, the mean over the positives outside of the logarithm, averaged over all views.

    The positives are all other views with the same label, of all processes.
    """
    local = F.normalize(projections.float(), dim=1)
    everyone, classes = gather(local), gather(labels)
    with torch.autocast(local.device.type, enabled=False):
        logits = local @ everyone.mT / temperature
    own = torch.arange(len(local), device=local.device) + rank() * len(local)
    itself = torch.zeros_like(logits, dtype=torch.bool).scatter(1, own[:, None], True)
    log_shares = logits.masked_fill(itself, -torch.inf).log_softmax(1)
    positive = (labels[:, None] == classes) & ~itself
    return -(log_shares.masked_fill(~positive, 0.0).sum(1) / positive.sum(1)).mean()


class SupCon(Objective):
    """Encoder, projector, supervised contrastive loss; without labels each sample is its own class, as in SimCLR."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__()
        self.config = config
        self.label = config.label
        self.encoder = encoder
        self.head = projector(encoder.features, config.hidden, config.latent)

    def forward(
        self,
        views: Sequence[View],
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " B"] | None = None,
    ) -> Loss:
        latent = self.latent(self.encoder(type(views[0]).cat(views)))
        if labels is None:
            own = torch.arange(len(views[0]), device=latent.mean.device)
            labels = own + rank() * len(own)
        total = loss_out(latent.mean, labels.repeat(len(views)), self.config.temperature)
        return Loss(total, latent.detach(), {"supcon_nats": total.detach()})
