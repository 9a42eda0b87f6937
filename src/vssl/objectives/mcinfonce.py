"""MCInfoNCE: contrastive learning over samples of probabilistic embeddings (Kirchhof et al. 2023, arXiv 2302.02865).

The posterior of a view is a von Mises-Fisher distribution on the unit sphere. With concentration kappa it is close to
an isotropic Gaussian of variance 1 / kappa there, and of variance D / kappa on the sphere of radius sqrt(D). The latent
is that Gaussian: its mean has length sqrt(D), its log-variance is ln(D / kappa), and kappa = D exp(-log-variance).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vssl.encoders.base import Encoder
from vssl.encoders.heads import GaussianHead
from vssl.modalities.base import Modality
from vssl.objectives.base import Objective, check_increasing, check_ranges
from vssl.stats import gaussian, sphere
from vssl.stats.gather import gather
from vssl.types import Gaussian, Loss, View


@dataclass(frozen=True)
class Config:
    """MCInfoNCE.

    Attributes:
        samples: K, the number of samples of each posterior per step, 1 or more.
        concentration: Concentration of two views of a sample around each other, an inverse temperature (kappa_pos in
            the paper), above 0.
        latent: D, the dimensions of the latent space, 2 or more.
        hidden: Width of the hidden layers of the heads.
        log_variance_range: Bounds of the log-variance ln(D / kappa), in nats.
    """

    samples: int = 8
    concentration: float = 20.0
    latent: int = 128
    hidden: int = 512
    log_variance_range: tuple[float, float] = (-6.0, 2.0)

    def __post_init__(self) -> None:
        check_ranges(self, samples="[1, inf)", concentration="(0, inf)", latent="[2, inf)", hidden="[1, inf)")
        check_increasing(self, "log_variance_range")


def build(config: Config, encoder: Encoder, _modality: Modality) -> Objective:
    return MCInfoNCE(config, encoder)


def mc_info_nce(samples: Float[Tensor, "K VN D"], concentration: float) -> Float[Tensor, ""]:
    """-ln (1/K) sum_k exp(c z_k . z+_k) / sum_j exp(c z_k . zj_k), in nats, averaged over all rows; c concentration.

    z+ is the other view of z, and j runs over all rows except that of z.

    Args:
        samples: K samples of the first views of all N samples, then of the second ones.
    """
    with torch.autocast(samples.device.type, enabled=False):
        logits = concentration * samples @ samples.mT
    rows = torch.arange(samples.shape[1], device=samples.device)
    logits = logits.masked_fill(rows == rows[:, None], -torch.inf)
    log_probabilities = logits.log_softmax(2)[:, rows, rows.roll(len(rows) // 2)]
    return math.log(len(samples)) - log_probabilities.logsumexp(0).mean()


class MCInfoNCE(Objective):
    """Encoder, Gaussian head, samples on the sphere."""

    def __init__(self, config: Config, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.config = config
        self.head = GaussianHead(encoder.features, config.hidden, config.latent, 1, config.log_variance_range)

    def forward(self, views: Sequence[View], generator: torch.Generator | None = None) -> Loss:
        latent = self.latent(self.encoder(type(views[0]).cat(views)))
        direction = _gather_views(latent.mean) / math.sqrt(self.config.latent)
        concentration = self.config.latent * (-_gather_views(latent.log_variance)).exp()
        # All processes draw the samples of all rows from generators in the same state, so these are equal.
        samples = sphere.sample(direction, concentration, self.config.samples, generator)
        total = mc_info_nce(samples, self.config.concentration)
        parts = {"mc_info_nce_nats": total.detach(), "concentration": concentration.detach().mean()}
        return Loss(total, latent.detach(), parts)

    def latent(self, features: Float[Tensor, "B F"]) -> Gaussian:
        posterior: Gaussian = self.head(features)
        return Gaussian(gaussian.to_sphere(posterior.mean), posterior.log_variance)


def _gather_views(views: Float[Tensor, "VB D"]) -> Float[Tensor, "VN D"]:
    """The rows of all processes: the first views of all samples, then the second ones."""
    return torch.cat([gather(view) for view in views.chunk(2)])
