"""Patch features: what is where in a sample, from early feature maps of the encoder, in few bytes."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int8
from torch import Tensor

DIMENSIONS = 32
"""Length of the vector of a patch."""


def patch_features(maps: Float[Tensor, "B C h w"], grid: tuple[int, int]) -> Int8[Tensor, "B rows columns d"]:
    """Unit vectors of the feature maps on a grid of patches, in 127ths.

    A fixed random rotation, of which `DIMENSIONS` dimensions are used, keeps cosines nearly as they are (Johnson and
    Lindenstrauss 1984); 8 bits per value suffice for unit vectors.

    Args:
        grid: Rows and columns of the patches; see `Modality.patch_grid`.
    """
    pooled = F.normalize(F.adaptive_avg_pool2d(maps, grid), dim=1)
    rotation = torch.from_numpy(_rotation(maps.shape[1])).to(maps.device)
    units = F.normalize(torch.einsum("bchw,cd->bhwd", pooled, rotation), dim=3)
    return (127 * units).round().to(torch.int8)


@cache
def _rotation(channels: int) -> Float[np.ndarray, "C d"]:
    noise = torch.randn(channels, channels, generator=torch.Generator().manual_seed(0))
    rotation = torch.linalg.qr(noise)[0][:, :DIMENSIONS]
    # With fewer channels the last dimensions are empty. An array: a tensor of a graph being traced holds no numbers.
    return F.pad(rotation, (0, max(0, DIMENSIONS - channels))).numpy()
