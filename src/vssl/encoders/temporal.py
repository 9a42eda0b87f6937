"""Dilated temporal convolution networks for windows of sensor series.

Residual blocks with doubling dilation (Bai et al. 2018, arXiv 1803.01271; here not causal), so that a few blocks have a
receptive field of hundreds of rows. The mask of measured values is an input of its own.

The features also hold the raw descriptor of the window, the mean of each channel in each quarter and its standard
deviation. Augmentation changes both little, but no loss makes a network preserve them exactly, and a limit that is
exceeded shows there first.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.types import Series


class _Shape(NamedTuple):
    width: int
    blocks: int


VARIANTS = {
    "tiny": _Shape(32, 4),  # 0.03 M parameters and 64 per channel
    "small": _Shape(64, 5),  # 0.13 M
    "base": _Shape(128, 6),  # 0.6 M
}


QUARTERS = 4
EPSILON = 1e-6


@dataclass(frozen=True)
class Config:
    """A dilated temporal convolution network.

    Attributes:
        variant: tiny (0.03 M parameters), small (0.13 M) or base (0.6 M).
    """

    variant: Literal["tiny", "small", "base"] = "small"


def build(config: Config, shape: tuple[int, int]) -> Encoder:
    """The network for windows of `shape` (channels, rows)."""
    return TemporalNet(VARIANTS[config.variant], shape[0])


class TemporalNet(Encoder):
    """Stem, residual blocks, mean and maximum of each map over the rows, and the raw descriptor of the window."""

    def __init__(self, shape: _Shape, channels: int) -> None:
        super().__init__()
        self.features = 2 * shape.width + (QUARTERS + 1) * channels
        self.patch_channels = shape.width
        self.stem = nn.Conv1d(2 * channels, shape.width, 5, padding=2, bias=False)
        self.stem_norm = nn.BatchNorm1d(shape.width)
        self.blocks = nn.ModuleList(_Block(shape.width, 2**depth) for depth in range(shape.blocks))

    def forward(self, view: Series) -> Float[Tensor, "B F"]:  # type: ignore[override]
        return self.forward_with_patches(view)[0]

    def forward_with_patches(self, view: Series) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B C 1 T"]]:  # type: ignore[override]
        """The features, and the maps of the first block, one patch per row."""
        x = F.relu(self.stem_norm(self.stem(torch.cat([view.values, view.known], 1))))
        patches = x = self.blocks[0](x)
        for block in self.blocks[1:]:
            x = block(x)
        return torch.cat([x.mean(2), x.amax(2), raw_descriptor(view).to(x.dtype)], 1), patches[:, :, None]


def raw_descriptor(view: Series) -> Float[Tensor, "B _"]:
    """Per channel, the means of the measured values in the quarters of the window, then their standard deviations."""
    quarters = F.adaptive_avg_pool1d(view.values, QUARTERS)
    known = F.adaptive_avg_pool1d(view.known, QUARTERS).clamp(min=EPSILON)
    fraction = view.known.mean(2).clamp(min=EPSILON)
    mean, square = view.values.mean(2) / fraction, view.values.square().mean(2) / fraction
    std = (square - mean.square()).clamp(min=EPSILON).sqrt()
    return torch.cat([(quarters / known).flatten(1), std], 1)


class _Block(nn.Module):
    """Two dilated convolutions of kernel size 3 and a shortcut connection."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm2 = nn.BatchNorm1d(width)

    def forward(self, x: Float[Tensor, "B C T"]) -> Float[Tensor, "B C T"]:
        inner = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(inner)) + x)
