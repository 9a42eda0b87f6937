"""Novelty: unlike its nearest known samples in the latent space, or unlike all known samples in the features.

The sum of two scores, each as a logarithm on a scale on which the median of known samples is 0 and their 95th
percentile 1. `knn` on the latent means sees small differences and is blind to gross ones, which the views taught the
encoder to ignore (a black picture); `mahalanobis` on the features is the other way round. Measured beside each other in
`benchmarks/infrared_decide.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from vssl.errors import DataError
from vssl.scores import knn, mahalanobis
from vssl.scores.base import Score
from vssl.types import Embeddings

FEWEST = 8
SMALLEST = 1e-9
# A copy of a known sample is at distance 0; however familiar it looks to one score, the other is to be heard.
LEAST = -2.0


@dataclass(frozen=True)
class Config:
    """Distance to the nearest samples of the bank in the latent space, and to its Gaussian in the features.

    Attributes:
        neighbours: How many, 1 or more.
    """

    neighbours: int = 5

    def __post_init__(self) -> None:
        knn.Config(self.neighbours)


def fit(config: Config, bank: Embeddings) -> Score:
    """Fit both scores, and their scales: scores on one half of the bank by what the other half was fitted to."""
    if len(bank) < FEWEST:
        raise DataError(f"The bank has {len(bank)} samples; novelty needs at least {FEWEST}.")
    order = np.argsort(np.array(bank.ids, dtype=object), kind="stable")
    first, second = (Embeddings(bank.table.take(pa.array(order[start::2]))) for start in (0, 1))
    scales = [_scale(np.log(score(second).clip(SMALLEST))) for score in _parts(config, first)]
    return Novelty(list(zip(_parts(config, bank), scales, strict=True)))


def _parts(config: Config, bank: Embeddings) -> list[Score]:
    near = knn.fit(knn.Config(config.neighbours, "mean"), bank)
    return [near, mahalanobis.fit(mahalanobis.Config(), bank)]


def _scale(known: Float[np.ndarray, " n"]) -> tuple[float, float]:
    middle, high = np.quantile(known, [0.5, 0.95])
    return float(middle), max(float(high - middle), SMALLEST)


@dataclass(frozen=True)
class Novelty:
    """Holds both scores with the middle and the width of their scales."""

    parts: list[tuple[Score, tuple[float, float]]]

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, " N"]:
        total = np.zeros(len(samples))
        for score, (middle, width) in self.parts:
            total += ((np.log(score(samples).clip(SMALLEST)) - middle) / width).clip(LEAST)
        return total
