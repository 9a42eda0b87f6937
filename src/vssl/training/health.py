"""The health of a training without labels: statistics of the latents, and the kind of collapse that they show."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vssl.stats.rank import dimension_std, effective_rank
from vssl.types import Gaussian, Latent

HEALTHY = "healthy"
NOT_TRAINED = "not trained, the encoder keeps its initial weights"
NO_GAIN = "no measurable gain over the untrained network"
# Below this fraction of a run a low rank is the normal start and no collapse.
GRACE = 0.1


@dataclass(frozen=True)
class LatentStatistics:
    """Statistics of the latents of one batch.

    Attributes:
        effective_rank: Number of dimensions in use, 1..D.
        total_std: Root of the summed variances of the normalised means, 0..1; 1 for directions that fill the sphere.
        log_variance: Mean log-variance in nats; None for deterministic methods.
        health: `HEALTHY`, or the kind of collapse and the figure that shows it.
    """

    effective_rank: float
    total_std: float
    log_variance: float | None
    health: str


def latent_statistics(latent: Latent, progress: float) -> LatentStatistics:
    """Statistics of a batch of latents.

    Args:
        progress: Fraction of the run that is done, 0..1; before `GRACE` no collapse is reported.
    """
    mean = latent.mean.float()
    rank = float(effective_rank(mean))
    total_std = float(dimension_std(F.normalize(mean, dim=1)).square().sum().sqrt())
    log_variance = latent.log_variance.float() if isinstance(latent, Gaussian) else None
    health = _collapse(rank, total_std, mean.shape, log_variance) if progress >= GRACE else HEALTHY
    return LatentStatistics(rank, total_std, None if log_variance is None else float(log_variance.mean()), health)


def _collapse(rank: float, total_std: float, shape: torch.Size, log_variance: Float[Tensor, "B #D"] | None) -> str:
    if total_std < 0.1:
        return f"complete collapse: all samples have nearly the same latent (standard deviation {total_std:.3f} of 1)"
    if rank < max(2.0, 0.02 * min(shape)):  # B samples have a rank of at most B, whatever D is
        return f"dimensional collapse: effective rank {rank:.1f} of {shape[1]}"
    if log_variance is not None and float(log_variance.mean(1).std(correction=0)) < 1e-4:
        return "variance collapse: all samples have the same variance, so it carries no information"
    return HEALTHY
