"""Tiles of large pictures: all pixels are covered, and patches are stitched where they belong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vssl.modalities.tiling import Tiling


def spans(tiling: Tiling, grid: tuple[int, int], axis: int) -> tuple[np.ndarray, float]:
    """First pixel of each stitched patch along an axis, and the length of a patch."""
    tiles, patches = np.divmod(tiling.stitched(grid), grid[0] * grid[1])
    within = np.stack(np.divmod(patches, grid[1]))[axis]
    length = tiling.tile[axis] / grid[axis]
    starts = tiling.corners[tiles][..., axis] + within * length
    return (starts[:, 0] if axis == 0 else starts[0]), length


@pytest.mark.parametrize(
    ("size", "tile", "grid"),
    [
        ((4000, 5000), (256, 256), (32, 32)),
        ((4000, 5000), (256, 256), (8, 8)),
        ((200, 12_000), (200, 256), (25, 32)),
        ((500, 701), (96, 96), (24, 24)),
        ((333, 517), (128, 128), (9, 9)),
    ],
)
@pytest.mark.parametrize("axis", [0, 1])
def test_no_pixel_lies_between_the_patches(
    size: tuple[int, int], tile: tuple[int, int], grid: tuple[int, int], axis: int
) -> None:
    starts, length = spans(Tiling(size, tile), grid, axis)
    assert starts[0] == 0
    assert starts[-1] + length == pytest.approx(size[axis])
    assert np.diff(starts).max() <= length + 1e-9
    assert np.diff(starts).min() > 0


def test_patches_that_fit_are_those_of_the_whole_picture_and_of_the_middle_of_tiles() -> None:
    tiling = Tiling((320, 448), (128, 128))
    picture = torch.arange(320 * 448).view(1, 320, 448)
    tiles = tiling.cut(picture, range(len(tiling)))
    patches = tiles[:, 0, ::8, ::8].flatten()
    stitched = patches[torch.from_numpy(tiling.stitched((16, 16)))]
    assert torch.equal(stitched, picture[0, ::8, ::8])
    local = tiling.stitched((16, 16)) % 256
    # Two columns of the overlap of 32 pixels are dropped on either side of a seam.
    assert (local[5] % 16).tolist()[:20] == [*range(14), *range(2, 8)]


def test_a_picture_no_larger_than_a_tile_is_one_tile() -> None:
    tiling = Tiling((64, 64), (64, 64))
    assert len(tiling) == 1
    assert tiling.stitched((4, 4)).flatten().tolist() == list(range(16))
