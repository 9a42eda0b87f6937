"""Geometry of views: crop, stretch, flip and rotation of a sample are one affine matrix, and one resampling.

Coordinates run from -1 to 1 between the outer edges of the image (`align_corners=False`), x to the right and y down.
A matrix maps a place in the view to the place in the image where its value is taken from.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

PerSample = Float[Tensor, " B"]
Pair = tuple[PerSample, PerSample]


def crop_shares(area: PerSample, draw: PerSample, aspect: tuple[float, float]) -> Pair:
    """Width and height of crops of a given area, as shares of the image's.

    The aspect (width to height, relative to the image's own) is log-uniform over that part of its range where the crop
    fits into the image. So no draw is rejected, and the area keeps its distribution; torchvision tries ten times and
    then takes the whole image.

    Args:
        area: Share of the image's area, above 0 and up to 1.
        draw: Where in the range of the aspect, 0..1.
        aspect: Lowest and highest aspect; the range holds 1.
    """
    low = area.clamp(min=aspect[0]).log()
    high = area.reciprocal().clamp(max=aspect[1]).log()
    stretch = torch.exp(torch.lerp(low, high, draw))
    return (area * stretch).sqrt(), (area / stretch).sqrt()


def affine(
    shares: Pair, place: Pair, mirror: Pair, rotation_deg: PerSample, size: tuple[int, int]
) -> Float[Tensor, "B 2 3"]:
    """The matrix that takes a crop, mirrors it, and turns it about its own centre.

    Args:
        shares: Width and height of the crop as shares of the image's, above 0.
        place: Where the crop lies between the image's edges, -1 (left, top) to 1 (right, bottom).
        mirror: -1 to flip horizontally and vertically, otherwise 1.
        rotation_deg: Degrees, counter-clockwise. Angles hold in pixels, so a square stays a square in any image.
        size: Height and width of the image in pixels.
    """
    radians = torch.deg2rad(rotation_deg)
    cosine, sine = radians.cos(), radians.sin()
    across, down = shares[0] * mirror[0], shares[1] * mirror[1]
    height, width = size
    first = torch.stack([cosine * across, sine * down * (-height / width), place[0] * (1 - shares[0])], dim=1)
    second = torch.stack([sine * across * (width / height), cosine * down, place[1] * (1 - shares[1])], dim=1)
    return torch.stack([first, second], dim=1)


def warp(pixels: Float[Tensor, "B C H W"], matrix: Float[Tensor, "B 2 3"]) -> Float[Tensor, "B C H W"]:
    """Resample every image through its matrix, bilinearly; places outside the image mirror its inside.

    A view has the size of its image and a crop is never larger, so this enlarges and needs no low-pass filter before.
    """
    x, y = centres(pixels)
    across = matrix[:, :, :1] * x
    down = torch.addcmul(matrix[:, :, 2:], matrix[:, :, 1:2], y.flatten())
    # Written plane by plane: a quarter of the time of `affine_grid`, and `grid_sample` reads either order as fast.
    grid = (across[:, :, None] + down[..., None]).permute(0, 2, 3, 1)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def centres(pixels: Float[Tensor, "B C H W"]) -> tuple[Float[Tensor, " W"], Float[Tensor, "H 1"]]:
    """Places of the pixels' centres, x as a row and y as a column, from -1 to 1 between the outer edges."""
    height, width = pixels.shape[2:]
    across = (torch.arange(width, device=pixels.device) * 2 + 1) / width - 1
    down = (torch.arange(height, device=pixels.device) * 2 + 1) / height - 1
    return across, down[:, None]
