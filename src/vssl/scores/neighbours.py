"""Nearest neighbours by cosine similarity, of features, whitened features or latent means: exact, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vssl.errors import DataError
from vssl.stats import whitening
from vssl.stats.blocks import by_blocks, one_thread
from vssl.types import Embeddings

ROWS = 64  # queries per block: faster than the few of a score where a whole data set is compared

Space: TypeAlias = Literal["whitened", "whitened_directions", "features", "mean"]
"""The vectors to compare: features; mean, those of the latent space; whitened, the features after
`vssl.stats.whitening` with the square roots of their lengths; or whitened_directions, at length 1."""
LENGTH = 0.5  # the power of their length that whitened vectors keep


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference samples of every query sample, nearest first."""

    rows: Int[Tensor, "N k"]
    similarity: Float[Tensor, "N k"]

    def first(self, k: int) -> Neighbours:
        """The k nearest of them."""
        return Neighbours(self.rows[:, :k], self.similarity[:, :k])


NeighbourSearch: TypeAlias = Callable[[Space, int], Neighbours]
"""Finds the k nearest neighbours of some samples in a space."""


def neighbours(
    query: Embeddings, reference: Embeddings, k: int, exclude_same_id: bool, space: Space = "features"
) -> Neighbours:
    """Find the k most similar reference samples by the cosine, in [-1, 1].

    Args:
        k: Clipped to the number of samples that may be neighbours.
        exclude_same_id: A sample is no neighbour of itself. By id and not by rank, because a duplicate may rank first.
        space: The vectors to compare; they are whitened by the reference.

    Raises:
        DataError: The reference has no other sample.
    """
    k = min(k, len(reference) - exclude_same_id)
    if k < 1:
        raise DataError(f"No neighbours among {len(reference)} reference samples; give at least two.")
    own = _own_rows(query, reference) if exclude_same_id else torch.full((len(query),), -1)
    with one_thread():
        vectors = reference.torch(column_of(space))
        directions = transform(space, vectors)
        candidates = directions(vectors).T.contiguous()

    def work(samples: Tensor, itself: Tensor) -> dict[str, Tensor]:
        cosine = directions(samples) @ candidates
        excluded = (itself >= 0).nonzero().squeeze(1)
        cosine[excluded, itself[excluded]] = -torch.inf
        best = cosine.topk(k)
        return {"rows": best.indices, "similarity": best.values}

    return Neighbours(**by_blocks(work, [query.torch(column_of(space)), own], ROWS))


def column_of(space: Space) -> Literal["features", "mean"]:
    """The column of the embeddings that holds the vectors."""
    return "mean" if space == "mean" else "features"


def transform(space: Space, vectors: Float[Tensor, "N F"]) -> nn.Module:
    """What vectors of the space go through before they are compared; whitening is fitted to `vectors`."""
    if space == "whitened":
        return whitening.fit(vectors, LENGTH)
    return whitening.fit(vectors) if space == "whitened_directions" else Directions()


class Directions(nn.Module):
    """Vectors at length 1."""

    def forward(self, vectors: Float[Tensor, "B F"]) -> Float[Tensor, "B F"]:
        return F.normalize(vectors.float())


def _own_rows(query: Embeddings, reference: Embeddings) -> Int[Tensor, " N"]:
    rows = {name: row for row, name in enumerate(reference.ids)}
    return torch.tensor([rows.get(name, -1) for name in query.ids])
