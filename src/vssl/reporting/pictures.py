"""The samples on the page: the map, the galleries and the nearest neighbours, from one table of embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup
from PIL import Image

from vssl.reporting import map as embedding_map
from vssl.reporting.gallery import Pictures, Tile, extremes, neighbours, shrink, tile
from vssl.reporting.plots import histogram
from vssl.types import Embeddings

MOSAIC_SIDE = 56


@dataclass(frozen=True)
class Row:
    """A sample and its nearest neighbours."""

    query: Tile
    nearest: list[Tile]


class Samples:
    """The samples of one table of embeddings.

    Args:
        table: The embeddings.
        pictures: Loads the images of some ids; None where the original is no longer there.
        sample: Largest number of samples on the map.
        seed: Random seed of the subsample and of the map.
    """

    def __init__(self, table: Embeddings, pictures: Pictures, sample: int, seed: int) -> None:
        self.table = table
        self.features: Float[np.ndarray, "N F"] = table.features.astype(np.float32, copy=False)
        self.ids = table.ids
        self.labels = table.table["label"].to_pylist() if "label" in table else [None] * len(table)
        self.seed = seed
        self.obstacle = embedding_map.obstacle(self.features)
        self.rows = np.sort(np.random.default_rng(seed).permutation(len(table))[:sample])
        self._pictures = pictures

    @cached_property
    def coordinates(self) -> Float[np.ndarray, "N 2"]:
        return embedding_map.layout(self.features[self.rows], self.seed)

    @cached_property
    def colourings(self) -> tuple[list[embedding_map.Colouring], list[str]]:
        return ([], []) if self.obstacle else embedding_map.colourings(self.table, self.rows, self.coordinates)

    @cached_property
    def ambiguity(self) -> Float[np.ndarray, " N"] | None:
        return self.table.numpy("ambiguity") if "ambiguity" in self.table else None

    @cached_property
    def ambiguity_histogram(self) -> Markup | None:
        if self.ambiguity is None:
            return None
        return histogram(self.ambiguity[np.isfinite(self.ambiguity)], "ambiguity (nats)")

    @cached_property
    def mosaic(self) -> list[tuple[Tile, int, int]]:
        """Tile, column and row of each picture on the map; those whose original is no longer there are left out."""
        tiles = ((self._tile(self.rows[at], side=MOSAIC_SIDE), column, row) for at, column, row in self._cells)
        return [(tile, column, row) for tile, column, row in tiles if tile.uri]

    @cached_property
    def least(self) -> list[Tile]:
        return [self._tile(row, self._value(row)) for row in self._extremes[0]]

    @cached_property
    def most(self) -> list[Tile]:
        return [self._tile(row, self._value(row)) for row in self._extremes[1]]

    @cached_property
    def neighbours(self) -> list[Row]:
        return [
            Row(
                self._tile(query), [self._tile(row, f"{value:.3f}") for row, value in zip(nearest, cosine, strict=True)]
            )
            for query, nearest, cosine in self._nearest
        ]

    @property
    def missing(self) -> int:
        """The number of samples shown whose original is no longer there."""
        return sum(image is None for image in self._images.values())

    @property
    def shown(self) -> int:
        return len(self._images)

    @cached_property
    def _cells(self) -> list[tuple[int, int, int]]:
        return [] if self.obstacle else embedding_map.mosaic(self.coordinates)

    @cached_property
    def _extremes(self) -> tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]:
        empty = np.array([], dtype=int)
        return (empty, empty) if self.ambiguity is None else extremes(self.ambiguity)

    @cached_property
    def _nearest(self) -> Sequence[tuple[int, Int[np.ndarray, " K"], Float[np.ndarray, " K"]]]:
        return [] if self.obstacle else neighbours(self.features)

    @cached_property
    def _images(self) -> dict[str, Image.Image | None]:
        wanted = [self.rows[at] for at, _, _ in self._cells]
        wanted += [row for rows in self._extremes for row in rows]
        wanted += [row for query, nearest, _ in self._nearest for row in (query, *nearest)]
        # In the order of the table, which is that of the archive, because random access to an archive is slow.
        return shrink((self.ids[row] for row in sorted(wanted)), self._pictures)

    def _value(self, row: int) -> str:
        assert self.ambiguity is not None
        return f"{self.ambiguity[row]:.2f}"

    def _tile(self, row: int, value: str = "", side: int | None = None) -> Tile:
        label = None if self.labels[row] is None else str(self.labels[row])
        name = self.ids[row]
        return tile(name, self._images[name], value, label, *([side] if side else []))
