"""Dilated temporal convolution networks for windows of sensor series.

Residual blocks whose dilation doubles (Bai et al. 2018, arXiv 1803.01271; not causal here: a window is seen whole), so
that a few blocks see hundreds of rows. What is known of each value enters beside it.

Beside what is learned, the features hold the raw_descriptor of the window: the level of each channel in each quarter
and its spread. Views leave both nearly alone, but nothing makes a network keep them exactly, and a limit that is
exceeded shows there first.
"""

from __future__ import annotations

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
    "tiny": _Shape(32, 4),  # 0.03 M parameters and 64 a channel
    "small": _Shape(64, 5),  # 0.13 M
    "base": _Shape(128, 6),  # 0.6 M
}


QUARTERS = 4
SMALLEST = 1e-6


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
    """Stem, blocks, over the rows the mean and the largest value of each map, and the raw_descriptor of the window."""

    def __init__(self, shape: _Shape, channels: int) -> None:
        super().__init__()
        self.features = 2 * shape.width + (QUARTERS + 1) * channels
        self.stem = nn.Conv1d(2 * channels, shape.width, 5, padding=2, bias=False)
        self.stem_norm = nn.BatchNorm1d(shape.width)
        self.blocks = nn.ModuleList(_Block(shape.width, 2**depth) for depth in range(shape.blocks))

    def forward(self, view: Series) -> Float[Tensor, "B F"]:  # type: ignore[override]
        return self.forward_with_patches(view)[0]

    def forward_with_patches(self, view: Series) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B C 1 T"]]:  # type: ignore[override]
        """The features, and the maps of the first block: what is where in time."""
        x = F.relu(self.stem_norm(self.stem(torch.cat([view.values, view.known], 1))))
        places = x = self.blocks[0](x)
        for block in self.blocks[1:]:
            x = block(x)
        return torch.cat([x.mean(2), x.amax(2), raw_descriptor(view).to(x.dtype)], 1), places[:, :, None]


def raw_descriptor(view: Series) -> Float[Tensor, "B 5*C"]:
    """Of each channel the mean of the known values in each quarter of the window, and their standard deviation."""
    quarters = F.adaptive_avg_pool1d(view.values, QUARTERS)
    known = F.adaptive_avg_pool1d(view.known, QUARTERS).clamp(min=SMALLEST)
    share = view.known.mean(2).clamp(min=SMALLEST)
    middle, square = view.values.mean(2) / share, view.values.square().mean(2) / share
    spread = (square - middle.square()).clamp(min=SMALLEST).sqrt()
    return torch.cat([(quarters / known).flatten(1), spread], 1)


class _Block(nn.Module):
    """Two convolutions of three rows, `dilation` rows apart, and a short cut."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm2 = nn.BatchNorm1d(width)

    def forward(self, x: Float[Tensor, "B C T"]) -> Float[Tensor, "B C T"]:
        inner = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(inner)) + x)
