"""Novelty by one Gaussian: the squared Mahalanobis distance of the features to the bank's mean.

Without labels, where Lee et al. 2018 (arXiv 1807.03888) take one mean a class. The covariance is shrunk (Ledoit and
Wolf 2004), so that it can be inverted with fewer samples than features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from sklearn.covariance import LedoitWolf

from vssl.errors import DataError
from vssl.scores.base import Score
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config:
    """Squared Mahalanobis distance to one Gaussian fitted to the bank."""


def fit(_config: Config, bank: Embeddings) -> Score:
    if len(bank) < 2:
        raise DataError("One sample has no covariance; the bank needs at least two.")
    return Mahalanobis(LedoitWolf().fit(bank.features.astype(np.float64)))


@dataclass(frozen=True)
class Mahalanobis:
    """Holds the fitted Gaussian."""

    gaussian: LedoitWolf

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, " N"]:
        return self.gaussian.mahalanobis(samples.features.astype(np.float64))
