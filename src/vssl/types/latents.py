"""Latents: what an encoder says about a batch of samples, with a variance or without, and the loss of a batch.

Shapes: B batch, D latent dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """A batch of diagonal Gaussians over the latent space; a log-variance of width 1 stands for all D dimensions."""

    mean: Float[Tensor, "B D"]
    log_variance: Float[Tensor, "B #D"]

    def __len__(self) -> int:
        return self.mean.shape[0]

    def detach(self) -> Gaussian:
        return Gaussian(self.mean.detach(), self.log_variance.detach())

    def float(self) -> Gaussian:
        return Gaussian(self.mean.float(), self.log_variance.float())

    def chunk(self, pieces: int) -> list[Gaussian]:
        pairs = zip(self.mean.chunk(pieces), self.log_variance.chunk(pieces), strict=True)
        return [Gaussian(mean, log_variance) for mean, log_variance in pairs]


@dataclass(frozen=True)
class Point:
    """A batch of latents of a deterministic method: there is no variance, which is not a variance of zero."""

    mean: Float[Tensor, "B D"]

    def __len__(self) -> int:
        return self.mean.shape[0]

    def detach(self) -> Point:
        return Point(self.mean.detach())


Latent = Gaussian | Point


@dataclass(frozen=True)
class Loss:
    """What an objective returns for one batch: the loss, its named parts in nats, and the latents to be watched.

    `watched` is what people see of the loss, detached, where `total` cannot be compared from step to step.
    """

    total: Float[Tensor, ""]
    latent: Latent
    parts: Mapping[str, Float[Tensor, ""]] = field(default_factory=dict)
    watched: Float[Tensor, ""] | None = None
