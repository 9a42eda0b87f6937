"""Heads on an encoder: the projector, and the Gaussian head, which computes mean and variance of an embedding."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.stats.gaussian import bound
from vssl.types import Gaussian


def projector(inputs: int, hidden: int, outputs: int, layers: int = 2, norm: bool = False) -> nn.Sequential:
    """Linear layers with batch normalisation and ReLU between them (Chen et al. 2020, arXiv 2002.05709).

    Args:
        layers: Linear layers, 2 or more.
        norm: Whether the output is batch-normalised as well, without learned scale and shift.
    """
    modules: list[nn.Module] = []
    for width in [hidden] * (layers - 1):
        modules += [nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        inputs = width
    modules.append(nn.Linear(inputs, outputs, bias=not norm))
    if norm:
        modules.append(nn.BatchNorm1d(outputs, affine=False))
    return nn.Sequential(*modules)


class GaussianHead(nn.Module):
    """Features to a diagonal Gaussian: one projector for the mean, another for the log-variance.

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
        return Gaussian(self.mean(features).float(), bound(self._log_variance(features), *self.range))

    def _log_variance(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B _"]:
        """The raw log-variance; its last layer computes in float32, because bfloat16 near -1.5 has steps of 0.008."""
        hidden, device = self.log_variance[:-1](features), features.device.type
        raw: Tensor
        if not torch.is_autocast_enabled(device):
            raw = self.log_variance[-1](hidden)
            return raw.float()
        with torch.autocast(device, enabled=False):
            raw = self.log_variance[-1](hidden.float())
            return raw
