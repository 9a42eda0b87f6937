"""Large pictures in overlapping tiles: where the tiles lie, and which patch of which tile is a patch of the whole.

Each tile gives the patches that are nearest to its centre; those in the outer half of an overlap are dropped, because
a network sees less of their surroundings there, and seams would show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

STEP = 32
"""Tiles begin at multiples of so many pixels, which are whole patches of nearly all networks."""
OVERLAP = 8
"""Neighbouring tiles share at least an eighth of their side, rounded up to whole steps."""


@dataclass(frozen=True)
class Tiling:
    """Overlapping tiles of a picture, in rows from the top left.

    Attributes:
        size: Height and width of the picture in pixels.
        tile: Height and width of a tile, at most those of the picture.
    """

    size: tuple[int, int]
    tile: tuple[int, int]

    def __len__(self) -> int:
        return len(self.corners)

    @cached_property
    def corners(self) -> Int[np.ndarray, "n 2"]:
        """Row and column of the upper left pixel of each tile; the last ones end at the edge of the picture."""
        rows, columns = self._starts
        return np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)

    def cut(self, picture: Shaped[Tensor, "C H W"], tiles: Sequence[int]) -> Shaped[Tensor, "k C h w"]:
        """Some tiles of a picture, by their numbers."""
        height, width = self.tile
        corners = self.corners[list(tiles)].tolist()
        return torch.stack([picture[:, row : row + height, column : column + width] for row, column in corners])

    def stitched(self, grid: tuple[int, int]) -> Int[np.ndarray, "rows columns"]:
        """For each patch of the picture, which of all patches of all tiles it is.

        Args:
            grid: Rows and columns of the patches of a tile.

        Returns:
            Positions among the patches of all tiles, numbered tile by tile and row by row.
        """
        (tile_rows, rows), (tile_columns, columns) = (
            _nearest_tile(starts, side, patches)
            for starts, side, patches in zip(self._starts, self.tile, grid, strict=True)
        )
        tiles = tile_rows[:, None] * len(self._starts[1]) + tile_columns
        stitched: Int[np.ndarray, "rows columns"] = (tiles * grid[0] + rows[:, None]) * grid[1] + columns
        return stitched

    @cached_property
    def _starts(self) -> list[Int[np.ndarray, " k"]]:
        return [_starts(length, side) for length, side in zip(self.size, self.tile, strict=True)]


def _starts(length: int, side: int) -> Int[np.ndarray, " k"]:
    if length <= side:
        return np.array([0])
    shared = STEP * -(-side // (OVERLAP * STEP))
    return np.array([*range(0, length - side, side - shared), length - side])


def _nearest_tile(
    starts: Int[np.ndarray, " k"], side: int, patches: int
) -> tuple[Int[np.ndarray, " g"], Int[np.ndarray, " g"]]:
    """Along one axis, for each patch of the picture: the tile whose centre is nearest, and the patch in that tile."""
    # The last tile may begin within a patch. Rounded up, some pixels are in two patches of the picture; rounded down,
    # some would be in none.
    first = np.cumsum([0, *(-(-step * patches // side) for step in np.diff(starts).tolist())])
    changes = [(one + other + patches) // 2 for one, other in pairwise(first.tolist())]
    numbers = np.arange(first[-1] + patches)
    tiles = np.searchsorted(changes, numbers, side="right")
    return tiles, numbers - first[tiles]
