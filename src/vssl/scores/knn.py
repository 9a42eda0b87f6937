"""Novelty by neighbours: the mean distance to the nearest samples of the bank (Sun et al. 2022, arXiv 2204.06507).

The distance is 1 - cosine, in 0..2, by default of whitened features (extension): measured on logs in
`benchmarks/event_logs.py`. A sample of the bank itself finds itself at distance 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score
from vssl.scores.neighbours import BLOCK, Space, column_of, directions_of
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config:
    """Mean distance to the nearest samples of the bank.

    Attributes:
        neighbours: How many, 1 or more.
        space: What is compared: features; whitened, the same after their covariance in the bank has been made the
            identity; or mean, for the latent space.
    """

    neighbours: int = 5
    space: Space = "whitened"

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ConfigError(f"knn.neighbours is {self.neighbours}; it must be 1 or more.")


def fit(config: Config, bank: Embeddings) -> Score:
    if not len(bank):
        raise DataError("The bank is empty.")
    if config.space == "whitened" and len(bank) < 2:
        raise DataError("One sample has no covariance; give the bank two, or take --space features.")
    column = column_of(config.space)
    known = bank.torch(column)
    module = KNN(directions_of(known, config.space), known, config.neighbours)
    return Score((column,), module, max(1, BLOCK // len(bank)))


class KNN(nn.Module):
    """Holds the directions of the bank."""

    def __init__(self, directions: nn.Module, bank: Float[Tensor, "N F"], neighbours: int) -> None:
        super().__init__()
        self.directions = directions
        self.neighbours = min(neighbours, len(bank))
        self.known = nn.Buffer(directions(bank))

    def forward(self, vectors: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
        cosine = self.directions(vectors) @ self.known.T
        return 1 - cosine.topk(self.neighbours).values.double().mean(1)
