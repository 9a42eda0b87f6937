"""Novelty by one Gaussian: the squared Mahalanobis distance of the features to the bank's mean.

Without labels, where Lee et al. 2018 (arXiv 1807.03888) take one mean a class. The covariance is shrunk (Ledoit and
Wolf 2004), so that it can be inverted with fewer samples than features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn

from vssl.errors import DataError
from vssl.scores.base import Score
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config:
    """Squared Mahalanobis distance to one Gaussian fitted to the bank."""


def fit(_config: Config, bank: Embeddings) -> Score:
    if len(bank) < 2:
        raise DataError("One sample has no covariance; the bank needs at least two.")
    gaussian = LedoitWolf().fit(bank.features.astype(np.float64))
    return Score(("features",), Mahalanobis(gaussian.location_, gaussian.precision_))


class Mahalanobis(nn.Module):
    """Holds the mean and the inverse covariance of the fitted Gaussian."""

    def __init__(self, mean: Float[np.ndarray, " F"], precision: Float[np.ndarray, "F F"]) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.from_numpy(mean))
        self.precision = nn.Buffer(torch.from_numpy(precision))

    def forward(self, features: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
        centred = features.double() - self.mean
        return ((centred @ self.precision) * centred).sum(1)
