"""What the page shows of samples: the map, the galleries and the neighbours, from one table of embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup
from PIL import Image

from vssl.reporting import map as atlas
from vssl.reporting.gallery import Pictures, Tile, extremes, neighbours, shrink, tile
from vssl.reporting.plots import histogram
from vssl.types import Embeddings

MOSAIC_SIDE = 56


@dataclass(frozen=True)
class Row:
    """One sample and those nearest to it."""

    query: Tile
    nearest: list[Tile]


class Samples:
    """What the page shows of the samples of one table of embeddings.

    Args:
        table: The embeddings.
        pictures: Gives the images of some ids, None where the original is no longer there.
        sample: The most samples on the map.
        seed: Decides which samples are on the map, and the map's random part.
    """

    def __init__(self, table: Embeddings, pictures: Pictures, sample: int, seed: int) -> None:
        self.table = table
        self.features: Float[np.ndarray, "N F"] = table.features.astype(np.float32, copy=False)
        self.ids = table.ids
        self.labels = table.table["label"].to_pylist() if "label" in table else [None] * len(table)
        self.seed = seed
        self.obstacle = atlas.obstacle(self.features)
        self.rows = np.sort(np.random.default_rng(seed).permutation(len(table))[:sample])
        self._pictures = pictures

    @cached_property
    def places(self) -> Float[np.ndarray, "N 2"]:
        return atlas.layout(self.features[self.rows], self.seed)

    @cached_property
    def colourings(self) -> tuple[list[atlas.Colouring], list[str]]:
        return ([], []) if self.obstacle else atlas.colourings(self.table, self.rows, self.places)

    @cached_property
    def ambiguity(self) -> Float[np.ndarray, " N"] | None:
        return self.table.numpy("ambiguity") if "ambiguity" in self.table else None

    @cached_property
    def ambiguities(self) -> Markup | None:
        """How often each ambiguity occurs."""
        return (
            None
            if self.ambiguity is None
            else histogram(self.ambiguity[np.isfinite(self.ambiguity)], "ambiguity (nats)")
        )

    @cached_property
    def mosaic(self) -> list[tuple[Tile, int, int]]:
        """Pictures at their places on the map: tile, column, row; none where the original is no longer there."""
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
        """How many of the samples shown have no original any more."""
        return sum(image is None for image in self._images.values())

    @property
    def shown(self) -> int:
        return len(self._images)

    @cached_property
    def _cells(self) -> list[tuple[int, int, int]]:
        return [] if self.obstacle else atlas.mosaic(self.places)

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
        # In the order of the table, which is that of the archive: going to and fro in it is slow.
        return shrink((self.ids[row] for row in sorted(wanted)), self._pictures)

    def _value(self, row: int) -> str:
        assert self.ambiguity is not None
        return f"{self.ambiguity[row]:.2f}"

    def _tile(self, row: int, value: str = "", side: int | None = None) -> Tile:
        label = None if self.labels[row] is None else str(self.labels[row])
        name = self.ids[row]
        return tile(name, self._images[name], value, label, *([side] if side else []))
