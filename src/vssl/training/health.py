"""Is the representation alive? A verdict without labels, named while training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from vssl.stats.rank import dimension_std, effective_rank
from vssl.types import Gaussian, Latent

# Before this share of a run a low rank is the normal start, not a verdict.
GRACE = 0.1


@dataclass(frozen=True)
class Health:
    """What the latents of one batch show.

    Attributes:
        effective_rank: Dimensions in use, 1 to D.
        spread: Mean standard deviation of a dimension of the normalised means, 1 for directions that fill the sphere.
        log_variance: Mean log-variance in nats; None for deterministic methods.
        verdict: "healthy", or the name of what went wrong.
    """

    effective_rank: float
    spread: float
    log_variance: float | None
    verdict: str


def examine(latent: Latent, share: float) -> Health:
    """The health of a batch of latents at `share` of the run."""
    mean = latent.mean.float()
    rank = float(effective_rank(mean))
    spread = float(dimension_std(F.normalize(mean, dim=1)).square().sum().sqrt())
    log_variance = latent.log_variance.float() if isinstance(latent, Gaussian) else None
    verdict = "healthy"
    if share >= GRACE:
        verdict = _name_the_collapse(rank, spread, mean.shape, log_variance)
    return Health(rank, spread, None if log_variance is None else float(log_variance.mean()), verdict)


def _name_the_collapse(rank: float, spread: float, shape: torch.Size, log_variance: torch.Tensor | None) -> str:
    if spread < 0.1:
        return f"complete collapse: all samples have nearly the same latent (spread {spread:.3f} of 1)"
    if rank < max(2.0, 0.02 * min(shape)):  # n samples cannot have a rank above n, however many dimensions there are
        return f"dimensional collapse: effective rank {rank:.1f} of {shape[1]}"
    if log_variance is not None and float(log_variance.mean(1).std(correction=0)) < 1e-4:
        return "variance collapse: all samples have the same variance, so it tells nothing"
    return "healthy"
