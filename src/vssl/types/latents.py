"""Latents of a batch, with a variance (`Gaussian`) or without (`Point`), and the loss of a batch.

Shapes: B batch, D latent dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """A batch of diagonal Gaussians in the latent space.

    Attributes:
        mean: Means.
        log_variance: Natural logarithms of the variances; one column stands for all D dimensions.
    """

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
    """A batch of latents of a deterministic method. Their variance is unknown, which does not mean zero.

    Attributes:
        mean: The latents.
    """

    mean: Float[Tensor, "B D"]

    def __len__(self) -> int:
        return self.mean.shape[0]

    def detach(self) -> Point:
        return Point(self.mean.detach())


Latent = Gaussian | Point


@dataclass(frozen=True)
class Loss:
    """The loss of one batch, as an objective returns it.

    Attributes:
        total: The scalar that is minimised.
        latent: Latents of the batch, detached, whose statistics are logged.
        parts: Named terms of the loss, detached, for the log.
        logged: The loss to log instead of `total`, detached, where `total` cannot be compared between steps.
    """

    total: Float[Tensor, ""]
    latent: Latent
    parts: Mapping[str, Float[Tensor, ""]] = field(default_factory=dict)
    logged: Float[Tensor, ""] | None = None
