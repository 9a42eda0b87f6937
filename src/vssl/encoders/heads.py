"""What stands on an encoder: the projector, and the Gaussian head that every embedding's variance comes from."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from vssl.stats.gaussian import bound
from vssl.types import Gaussian


def projector(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two linear layers with batch normalisation and ReLU between them (Chen et al. 2020, arXiv 2002.05709)."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs),
    )


class GaussianHead(nn.Module):
    """From features to a diagonal Gaussian: a projector for the mean, a second one for the log-variance.

    Args:
        inputs: F, the length of the features.
        hidden: Width of the hidden layers.
        latent: D, the dimensions of the mean.
        variances: D for a diagonal, 1 for an isotropic Gaussian.
        log_variance_range: Bounds of the log-variance, in nats.
    """

    def __init__(
        self, inputs: int, hidden: int, latent: int, variances: int, log_variance_range: tuple[float, float]
    ) -> None:
        super().__init__()
        self.range = log_variance_range
        self.mean = projector(inputs, hidden, latent)
        self.log_variance = projector(inputs, hidden, variances)

    def forward(self, features: Float[Tensor, "B F"]) -> Gaussian:
        return Gaussian(self.mean(features).float(), bound(self.log_variance(features).float(), *self.range))
