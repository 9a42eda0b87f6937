"""Distance to the nearest neighbours: the mean over the k nearest samples of the bank (Sun et al., arXiv 2204.06507).

The distance is 1 - cosine, in 0..2, or by default half the squared distance of whitened features (extension), whose
lengths count by their square roots: by their directions alone an unusual sample far from all of the bank may seem near
to a part of it, and with their full lengths the lengths outweigh the directions (`docs/explanation/uncertainty.md`,
"Whitened distances"). A sample of the bank is at distance 0 from itself.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score, ScoreConfig
from vssl.scores.neighbours import NeighbourSearch, Space, column_of, transform
from vssl.stats.blocks import one_thread
from vssl.types import Embeddings

VECTORS = {
    "whitened": "whitened features",
    "whitened_directions": "directions of whitened features",
    "features": "features",
    "mean": "latent means",
}


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Mean distance to the nearest samples of the bank.

    Attributes:
        neighbours: How many, 1 or more.
        space: The vectors to compare: features; mean, for the latent space; whitened, the features after their
            covariance in the bank has been made the identity; or whitened_directions, the same at length 1.
    """

    neighbours: int = 5
    space: Space = "whitened"

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ConfigError(f"knn.neighbours is {self.neighbours}; it must be 1 or more.")

    @property
    def columns(self) -> tuple[Literal["features", "mean"]]:
        return (column_of(self.space),)

    @property
    def meaning(self) -> str:
        many = self.neighbours > 1
        which = (
            f"Mean distance to the {self.neighbours} nearest neighbours"
            if many
            else "Distance to the nearest neighbour"
        )
        return f"{which} among the known samples, by {VECTORS[self.space]}."


EVALUATED = {
    "nn_distance": Config(1, "features"),
    "knn_distance": Config(20, "features"),
    "whitened_nn_distance": Config(1, "whitened_directions"),
    "latent_nn_distance": Config(1, "mean"),
}


@one_thread()
def fit(config: Config, bank: Embeddings) -> Score:
    if not len(bank):
        raise DataError("The bank is empty.")
    if config.space.startswith("whitened") and len(bank) < 2:
        raise DataError("One sample has no covariance; give the bank two, or use --space features.")
    vectors = bank.torch(column_of(config.space))
    module = KNN(transform(config.space, vectors), vectors, config.neighbours)

    def from_neighbours(_samples: Embeddings, search: NeighbourSearch) -> Float[np.ndarray, " N"]:
        distances = 1 - search(config.space, config.neighbours).similarity.numpy()
        return np.asarray(distances.mean(axis=1))

    # A neighbour search compares directions only.
    return Score(config.columns, module, None if config.space == "whitened" else from_neighbours)


class KNN(nn.Module):
    """Holds the vectors of the bank."""

    def __init__(self, vectors: nn.Module, bank: Float[Tensor, "N F"], neighbours: int) -> None:
        super().__init__()
        self.vectors = vectors
        self.neighbours = min(neighbours, len(bank))
        self.known = nn.Buffer(vectors(bank))

    def forward(self, samples: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
        vectors: Tensor = self.vectors(samples)
        similarity = vectors @ self.known.T - _half_square(self.known)
        nearest = similarity.topk(self.neighbours).values.double().mean(1)
        return (_half_square(vectors).double() - nearest).clamp(min=0)


def _half_square(vectors: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
    return vectors.square().sum(1) / 2
