"""Nearest neighbours by cosine similarity, exact and in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from vssl.errors import DataError
from vssl.types import Embeddings

BLOCK = 2**25  # similarities held at once: 128 MiB in float32


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference samples of every query sample, nearest first."""

    rows: Int[Tensor, "N k"]
    similarity: Float[Tensor, "N k"]


def neighbours(
    query: Embeddings, reference: Embeddings, k: int, exclude_same_id: bool, column: str = "features"
) -> Neighbours:
    """Find the k most similar reference samples by the cosine of the features, in [-1, 1].

    Args:
        k: Clipped to the number of samples that may be neighbours.
        exclude_same_id: A sample is no neighbour of itself. By id and not by rank, because a duplicate may rank first.
        column: The vectors to compare: features, or mean for the latent space.

    Raises:
        DataError: There is nobody who could be a neighbour.
    """
    k = min(k, len(reference) - exclude_same_id)
    if k < 1:
        raise DataError(f"No neighbours among {len(reference)} reference samples; give at least two.")
    own = _own_rows(query, reference) if exclude_same_id else torch.full((len(query),), -1)
    candidates = normalize(reference.torch(column).float()).T.contiguous()
    rows, similarity = [], []
    samples = normalize(query.torch(column).float())
    step = max(1, BLOCK // len(reference))
    for part, own_part in zip(samples.split(step), own.split(step), strict=True):
        cosine = part @ candidates
        known = (own_part >= 0).nonzero().squeeze(1)
        cosine[known, own_part[known]] = -torch.inf
        best = cosine.topk(k)
        rows.append(best.indices)
        similarity.append(best.values)
    return Neighbours(torch.cat(rows), torch.cat(similarity))


def _own_rows(query: Embeddings, reference: Embeddings) -> Int[Tensor, " N"]:
    place = {name: row for row, name in enumerate(reference.ids)}
    return torch.tensor([place.get(name, -1) for name in query.ids])
