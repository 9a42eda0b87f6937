"""Nearest neighbours by cosine similarity, plain or of whitened features: exact and in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vssl.errors import DataError
from vssl.stats import whitening
from vssl.stats.blocks import by_blocks, one_thread
from vssl.types import Embeddings

ROWS = 64  # compared at once: quicker than few where all of a data set are compared

Space = Literal["whitened", "features", "mean"]
"""What is compared: features; whitened, the same after `vssl.stats.whitening`; or mean, for the latent space."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference samples of every query sample, nearest first."""

    rows: Int[Tensor, "N k"]
    similarity: Float[Tensor, "N k"]


def neighbours(
    query: Embeddings, reference: Embeddings, k: int, exclude_same_id: bool, space: Space = "features"
) -> Neighbours:
    """Find the k most similar reference samples by the cosine, in [-1, 1].

    Args:
        k: Clipped to the number of samples that may be neighbours.
        exclude_same_id: A sample is no neighbour of itself. By id and not by rank, because a duplicate may rank first.
        space: The vectors to compare; they are whitened by the reference.

    Raises:
        DataError: There is nobody who could be a neighbour.
    """
    k = min(k, len(reference) - exclude_same_id)
    if k < 1:
        raise DataError(f"No neighbours among {len(reference)} reference samples; give at least two.")
    own = _own_rows(query, reference) if exclude_same_id else torch.full((len(query),), -1)
    with one_thread():
        known = reference.torch(column_of(space))
        directions = whitening.fit(known) if space == "whitened" else Directions()
        candidates = directions(known).T.contiguous()

    def work(samples: Tensor, itself: Tensor) -> dict[str, Tensor]:
        cosine = directions(samples) @ candidates
        found = (itself >= 0).nonzero().squeeze(1)
        cosine[found, itself[found]] = -torch.inf
        best = cosine.topk(k)
        return {"rows": best.indices, "similarity": best.values}

    return Neighbours(**by_blocks(work, [query.torch(column_of(space)), own], ROWS))


def column_of(space: Space) -> Literal["features", "mean"]:
    """The column of the embeddings that holds the vectors."""
    return "mean" if space == "mean" else "features"


class Directions(nn.Module):
    """Vectors at length 1."""

    def forward(self, vectors: Float[Tensor, "B F"]) -> Float[Tensor, "B F"]:
        return F.normalize(vectors.float())


def _own_rows(query: Embeddings, reference: Embeddings) -> Int[Tensor, " N"]:
    place = {name: row for row, name in enumerate(reference.ids)}
    return torch.tensor([place.get(name, -1) for name in query.ids])
