"""Colour of views: brightness, contrast, saturation, hue and grey of a sample are one matrix.

All four keep the luma's direction: without the clamping between the steps that torchvision does they commute, so
their order needs no draw and their product is known in closed form.
"""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma: ITU-R BT.601, as torchvision and Pillow."""

CHROMA = ((1.0, -0.5, -0.5), (0.0, 3**0.5 / 2, -(3**0.5) / 2))
"""Red against cyan, and green against blue: the plane in which the hues of HSV lie around grey at even angles."""


def colour_matrix(
    brightness: Float[Tensor, " B"],
    contrast: Float[Tensor, " B"],
    saturation: Float[Tensor, " B"],
    hue: Float[Tensor, " B"],
    mean: Float[Tensor, "B C"],
) -> Float[Tensor, "B C D"]:
    """The matrix [B, C, C + 1] of all linear colour changes: C x C for the colour, and a last column to be added.

    Images that are not RGB have their plain mean as luma, and no hue; with one channel, gain and offset are left.

    Args:
        brightness: Factor; 1 changes nothing.
        contrast: Factor of the distance to the mean luma of the image; 1 changes nothing.
        saturation: Factor of the distance to the own luma; 1 changes nothing, 0 makes grey.
        hue: Turn of the hue in turns, -0.5..0.5. The angle in HSV is torchvision's to 2.3 degrees; what is kept is the
            luma, where torchvision keeps the largest of red, green and blue.
        mean: Mean of each channel; the added column has its unit.
    """
    luma, chroma, quarter = _bases(mean.shape[1], mean.device)
    angle = hue * (2 * torch.pi)
    parts = torch.stack([torch.ones_like(hue), saturation * angle.cos(), saturation * angle.sin()], dim=1)
    bases = torch.stack([luma, chroma, quarter]).flatten(1)
    linear = (parts @ bases).view(-1, *luma.shape) * (brightness * contrast)[:, None, None]
    offset = (mean @ luma.T) * (brightness * (1 - contrast))[:, None]
    return torch.cat([linear, offset[:, :, None]], dim=2)


def recolour(pixels: Float[Tensor, "B C H W"], matrix: Float[Tensor, "B C D"]) -> Float[Tensor, "B C H W"]:
    """Apply a matrix [B, C, C + 1] per sample to the channels."""
    return torch.baddbmm(matrix[:, :, -1:], matrix[:, :, :-1], pixels.flatten(2)).view_as(pixels)


@cache
def _bases(channels: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """What colour splits into: the luma, the rest (chroma), and the chroma after a quarter turn of the hue."""
    weights = torch.tensor(LUMA) if channels == 3 else torch.full((channels,), 1 / channels)
    luma = weights.expand(channels, channels)
    quarter = torch.zeros(channels, channels)
    if channels == 3:
        axes = torch.stack([weights, *torch.tensor(CHROMA)])
        turn = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
        quarter = torch.linalg.solve(axes, turn @ axes)
    return luma.to(device), (torch.eye(channels) - luma).to(device), quarter.to(device)
