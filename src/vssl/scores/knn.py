"""Novelty by neighbours: the mean distance to the nearest samples of the bank (Sun et al. 2022, arXiv 2204.06507).

The distance is 1 - cosine, in 0..2. A sample of the bank itself finds itself at distance 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score
from vssl.scores.neighbours import BLOCK
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config:
    """Mean distance to the nearest samples of the bank.

    Attributes:
        neighbours: How many, 1 or more.
        space: The vectors to compare: features, or mean for the latent space.
    """

    neighbours: int = 5
    space: Literal["features", "mean"] = "features"

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ConfigError(f"knn.neighbours is {self.neighbours}; it must be 1 or more.")


def fit(config: Config, bank: Embeddings) -> Score:
    if not len(bank):
        raise DataError("The bank is empty.")
    module = KNN(bank.torch(config.space), config.neighbours)
    return Score((config.space,), module, max(1, BLOCK // len(bank)))


class KNN(nn.Module):
    """Holds the directions of the bank."""

    def __init__(self, bank: Float[Tensor, "N F"], neighbours: int) -> None:
        super().__init__()
        self.neighbours = min(neighbours, len(bank))
        self.known = nn.Buffer(F.normalize(bank.float()))

    def forward(self, vectors: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
        cosine = F.normalize(vectors.float()) @ self.known.T
        return 1 - cosine.topk(self.neighbours).values.double().mean(1)
