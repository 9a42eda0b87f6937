"""SimCLR: agreement of two views against all other samples of the batch (Chen et al. 2020, arXiv 2002.05709)."""

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
from vssl.stats.gather import gather, local_indices
from vssl.types import Loss, View


@dataclass(frozen=True)
class Config:
    """SimCLR.

    Attributes:
        temperature: Temperature of the softmax over cosine similarities, above 0. The default is the paper's.
        latent: Dimensions of the projection. The default is the paper's.
        hidden: Width of the projector's hidden layer. The default is a quarter of the paper's, for small encoders.
    """

    temperature: float = 0.1
    latent: int = 128
    hidden: int = 512

    def __post_init__(self) -> None:
        check_ranges(self, temperature="(0, inf)", latent="[1, inf)", hidden="[1, inf)")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return SimCLR(config, encoder)


def nt_xent(projections: Float[Tensor, "VB D"], temperature: float) -> Float[Tensor, ""]:
    """The normalised, temperature-scaled cross entropy (equation 1), in nats.

    The other samples are those of all processes.

    Args:
        projections: The first views of all samples, then the second ones.
    """
    local = F.normalize(projections.float(), dim=1)
    gathered = gather(local)
    with torch.autocast(local.device.type, enabled=False):
        logits = local @ gathered.mT / temperature
    own = local_indices(local)
    logits = logits.scatter(1, own[:, None], -torch.inf)
    return F.cross_entropy(logits, own.roll(len(local) // 2))


class SimCLR(Objective):
    """Encoder, projector, NT-Xent."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = projector(encoder.features, config.hidden, config.latent)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        latent = self.latent(self.encoder(type(views[0]).cat(views)))
        total = nt_xent(latent.mean, self.config.temperature)
        return Loss(total, latent.detach(), {"nt_xent_nats": total.detach()})
