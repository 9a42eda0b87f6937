"""What standardises the feature maps of an encoder: the mean and scale of each channel, and a fixed random rotation."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from vssl.encoders.fitted_buffers import FittedBuffers

DIMENSIONS = 64
"""Largest length of the vector of a patch."""
STEPS = 16
"""Steps of the stored whole numbers per standard deviation."""


class PatchStatistics(FittedBuffers):
    """From feature maps to patch features, whose distances are those of standardised features.

    A random rotation of which `DIMENSIONS` dimensions are kept nearly preserves distances (Johnson and Lindenstrauss
    1984). The buffers are empty until `fit`, which training calls at its end.
    """

    mean: Float[Tensor, " C"]
    scale: Float[Tensor, " C"]
    rotation: Float[Tensor, "C d"]

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(0))
        self.register_buffer("scale", torch.zeros(0))
        self.register_buffer("rotation", torch.zeros(0, 0))

    @property
    def fitted(self) -> bool:
        return self.mean.shape[0] > 0

    def fit(self, mean: Float[Tensor, " C"], std: Float[Tensor, " C"]) -> None:
        """Take over the statistics of C channels; a channel that is constant stays at 0."""
        channels = len(mean)
        noise = torch.randn(channels, channels, generator=torch.Generator().manual_seed(0))
        self.rotation = torch.linalg.qr(noise)[0][:, :DIMENSIONS].contiguous().to(mean.device)
        # A channel that hardly varies would turn rounding errors into distances.
        self.mean, self.scale = mean.clone(), std.clamp(min=max(1e-6, 1e-3 * float(std.median())))

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Int8[Tensor, "B h w d"] | None:
        """The patches of raw maps, `STEPS` per standard deviation; None where `fit` was never called."""
        if not self.fitted:
            return None
        standardised = (maps.permute(0, 2, 3, 1) - self.mean) / self.scale
        return (STEPS * (standardised @ self.rotation)).round().clamp(-127, 127).to(torch.int8)
