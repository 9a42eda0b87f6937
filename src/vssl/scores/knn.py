"""Novelty by neighbours: the mean distance to the nearest samples of the bank (Sun et al. 2022, arXiv 2204.06507).

The distance is 1 - cosine, in 0..2, or by default half the squared distance of whitened features (extension), whose
lengths count by their square roots: by their directions alone a stranger far from all of the bank may seem near to a
part of it, and in full the lengths drown the directions (`docs/explanation/uncertainty.md`, "Whitened distances"). A
sample of the bank finds itself at distance 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score
from vssl.scores.neighbours import Directions, Space, column_of
from vssl.stats import whitening
from vssl.stats.blocks import one_thread
from vssl.types import Embeddings

LENGTH = 0.5


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


@one_thread()
def fit(config: Config, bank: Embeddings) -> Score:
    if not len(bank):
        raise DataError("The bank is empty.")
    if config.space == "whitened" and len(bank) < 2:
        raise DataError("One sample has no covariance; give the bank two, or take --space features.")
    column = column_of(config.space)
    known = bank.torch(column)
    vectors = whitening.fit(known, LENGTH) if config.space == "whitened" else Directions()
    return Score((column,), KNN(vectors, known, config.neighbours))


class KNN(nn.Module):
    """Holds the vectors of the bank."""

    def __init__(self, vectors: nn.Module, bank: Float[Tensor, "N F"], neighbours: int) -> None:
        super().__init__()
        self.vectors = vectors
        self.neighbours = min(neighbours, len(bank))
        self.known = nn.Buffer(vectors(bank))

    def forward(self, samples: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
        vectors = self.vectors(samples)
        nearness = vectors @ self.known.T - _half_square(self.known)
        nearest = nearness.topk(self.neighbours).values.double().mean(1)
        return (_half_square(vectors).double() - nearest).clamp(min=0)


def _half_square(vectors: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
    return vectors.square().sum(1) / 2
