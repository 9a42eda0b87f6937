"""Novelty by neighbours: the mean distance to the nearest samples of the bank (Sun et al. 2022, arXiv 2204.06507).

The distance is 1 - cosine, in 0..2. A sample of the bank itself finds itself at distance 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from vssl.errors import ConfigError
from vssl.scores.base import Score
from vssl.scores.neighbours import neighbours
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
    return KNN(config, bank)


@dataclass(frozen=True)
class KNN:
    """Holds the bank."""

    config: Config
    bank: Embeddings

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, " N"]:
        near = neighbours(samples, self.bank, self.config.neighbours, exclude_same_id=False, column=self.config.space)
        return 1 - near.similarity.double().mean(1).numpy()
