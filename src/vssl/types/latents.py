"""Latents of a batch, with a variance (`Gaussian`) or without (`Point`), and the loss of a batch.

Shapes: B batch, D latent dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from vssl.types.batch import TensorBatch


@dataclass(frozen=True)
class Gaussian(TensorBatch):
    """A batch of diagonal Gaussians in the latent space.

    Attributes:
        mean: Means.
        log_variance: Natural logarithms of the variances; one column stands for all D dimensions.
    """

    mean: Float[Tensor, "B D"]
    log_variance: Float[Tensor, "B #D"]


@dataclass(frozen=True)
class Point(TensorBatch):
    """A batch of latents of a deterministic method. Their variance is unknown, which does not mean zero.

    Attributes:
        mean: The latents.
    """

    mean: Float[Tensor, "B D"]


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
