"""SupCon: agreement of all views of a class, a supervised upper bound (Khosla et al. 2020, arXiv 2004.11362).

It reads labels. Compare with it what the same network, views and minutes reach when every label is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import projector
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective, check_ranges
from vssl.stats.gather import gather, local_indices
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """SupCon.

    Attributes:
        label: Metadata column with the classes.
        temperature: Temperature of the softmax over cosine similarities, above 0. The default is the paper's.
        latent: Dimensions of the projection. The default is the paper's.
        hidden: Width of the projector's hidden layer. The default is a quarter of the paper's, for small encoders.
    """

    label: str = "label"
    temperature: float = 0.1
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        check_ranges(self, temperature="(0, inf)", latent="[1, inf)", hidden="[1, inf)")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return SupCon(config, encoder)


def loss_out(projections: Float[Tensor, "VB D"], labels: Int[Tensor, " VB"], temperature: float) -> Float[Tensor, ""]:
    """Equation 2, with the mean over the positives outside the logarithm, averaged over all views, in nats.

    The positives of a view are all other views with the same label, of all processes.
    """
    local = F.normalize(projections.float(), dim=1)
    gathered, classes = gather(local), gather(labels)
    with torch.autocast(local.device.type, enabled=False):
        logits = local @ gathered.mT / temperature
    own = torch.zeros_like(logits, dtype=torch.bool).scatter(1, local_indices(local)[:, None], True)
    log_probabilities = logits.masked_fill(own, -torch.inf).log_softmax(1)
    positive = (labels[:, None] == classes) & ~own
    return -(log_probabilities.masked_fill(~positive, 0.0).sum(1) / positive.sum(1)).mean()


class SupCon(Objective):
    """Encoder, projector, supervised contrastive loss; without labels each sample is a class, as in SimCLR."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.label = config.label
        self.head = projector(encoder.features, config.hidden, config.latent)

    def forward(
        self,
        views: Sequence[View],
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " B"] | None = None,
    ) -> Loss:
        latent = self.latent(self.encoder(type(views[0]).cat(views)))
        if labels is None:
            labels = local_indices(latent.mean[: len(views[0])])
        total = loss_out(latent.mean, labels.repeat(len(views)), self.config.temperature)
        return Loss(total, latent.detach(), {"supcon_nats": total.detach()})
