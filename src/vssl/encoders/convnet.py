"""Small residual networks for images of 24 to 96 pixels, fast enough to train on the CPU of a laptop.

Four stages of basic blocks (He et al. 2016, arXiv 1512.03385), each at half the resolution of the one before.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.types import Images


class _Shape(NamedTuple):
    stem: int  # kernel size of the stem; its stride is 1 for 3, 2 for 4
    widths: tuple[int, ...]
    blocks: int


VARIANTS = {
    "tiny": _Shape(4, (32, 64, 128), 1),  # 0.3 M parameters
    "small": _Shape(4, (64, 128, 256), 1),  # 1.2 M
    "base": _Shape(4, (48, 96, 192, 384), 1),  # 2.8 M
    "resnet18": _Shape(3, (64, 128, 256, 512), 2),  # 11.2 M, the ResNet-18 with the stem for 32 x 32
}


@dataclass(frozen=True)
class Config:
    """A small residual network.

    Attributes:
        variant: tiny (0.3 M parameters), small (1.2 M), base (2.8 M) or resnet18 (11.2 M, stem for 32 x 32 pixels).
    """

    variant: Literal["tiny", "small", "base", "resnet18"] = "small"


def build(config: Config, shape: tuple[int, int, int]) -> Encoder:
    """The network for images of `shape` (channels, height, width).

    For images with a shorter side of 64 pixels or more, the stem halves the resolution once more, to limit the cost.
    """
    channels, height, width = shape
    return ConvNet(VARIANTS[config.variant], channels, extra_stride=2 if min(height, width) >= 64 else 1)


class ConvNet(Encoder):
    """Stem, stages of basic blocks, global average pooling."""

    def __init__(self, shape: _Shape, channels: int, extra_stride: int) -> None:
        super().__init__()
        self.features = shape.widths[-1]
        self.patch_channels = shape.widths[0] + shape.widths[1]
        self.blocks = shape.blocks
        stride = (shape.stem - 2) * extra_stride
        self.stem = nn.Conv2d(channels, shape.widths[0], shape.stem, stride, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(shape.widths[0])
        stages: list[nn.Module] = []
        previous = shape.widths[0]
        for index, width in enumerate(shape.widths):
            for block in range(shape.blocks):
                stages.append(BasicBlock(previous, width, stride=2 if index > 0 and block == 0 else 1))
                previous = width
        self.stages = nn.Sequential(*stages)

    def forward(self, view: Images) -> Float[Tensor, "B F"]:  # type: ignore[override]
        features: Tensor = self.stages(self._stem(view)).mean(dim=(2, 3))
        return features

    def forward_with_patches(self, view: Images) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B C h w"]]:  # type: ignore[override]
        """The features, and the maps of the first two stages, at the resolution of the first, which is the stem's."""
        first = self.stages[: self.blocks](self._stem(view))
        second = self.stages[self.blocks : 2 * self.blocks](first)
        features = self.stages[2 * self.blocks :](second).mean(dim=(2, 3))
        resized = F.interpolate(second, (first.shape[2], first.shape[3]), mode="bilinear", align_corners=False)
        return features, torch.cat([first, resized], 1)

    def _stem(self, view: Images) -> Float[Tensor, "B C h w"]:
        return F.relu(self.stem_norm(self.stem(view.pixels)), inplace=True)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut connection."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != width:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        inner = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(inner)) + self.shortcut(x), inplace=True)
