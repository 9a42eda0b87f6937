"""Novelty by a mixture of Gaussians: the negative log-likelihood of the features, in nats.

Several kinds of good samples make several clusters, between which one Gaussian sees nothing unusual. The features are
first turned and scaled to unit variance in their main directions (PCA), so that diagonal covariances suffice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score
from vssl.stats.blocks import one_thread
from vssl.types import Embeddings

if TYPE_CHECKING:
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture


@dataclass(frozen=True)
class Config:
    """Negative log-likelihood under a mixture of Gaussians fitted to the bank.

    Attributes:
        components: Gaussians, 1 or more.
        dimensions: Main directions of the features that are kept, 1 or more; fewer where the bank has fewer.
        seed: Of the start.
    """

    components: int = 8
    dimensions: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.components, self.dimensions) < 1:
            raise ConfigError("mixture.components and mixture.dimensions must be 1 or more.")


@one_thread()
def fit(config: Config, bank: Embeddings) -> Score:
    if len(bank) < 2 * config.components:
        raise DataError(
            f"{len(bank)} samples are too few for {config.components} Gaussians; the bank needs two for each."
        )
    # Imported late: every verb knows the scores' options, and scikit-learn takes long to import.
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    features = bank.features.astype(np.float64)
    kept = min(config.dimensions, *features.shape)
    turn = PCA(kept, whiten=True, random_state=config.seed)
    fitted = GaussianMixture(config.components, covariance_type="diag", random_state=config.seed, reg_covar=1e-3)
    fitted.fit(turn.fit_transform(features))
    return Score(("features",), Mixture(turn, fitted))


class Mixture(nn.Module):
    """Holds the fitted directions and Gaussians."""

    def __init__(self, turn: PCA, fitted: GaussianMixture) -> None:
        super().__init__()
        self.middle = nn.Buffer(torch.from_numpy(turn.mean_))
        self.turn = nn.Buffer(torch.from_numpy(turn.components_.T / np.sqrt(turn.explained_variance_)))
        self.means = nn.Buffer(torch.from_numpy(fitted.means_))
        self.precision = nn.Buffer(torch.from_numpy(1 / fitted.covariances_))
        weights = np.log(fitted.weights_) - np.log(2 * np.pi * fitted.covariances_).sum(1) / 2
        self.log_weights = nn.Buffer(torch.from_numpy(weights))

    def forward(self, features: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
        z = (features.double() - self.middle) @ self.turn
        squared = ((z[:, None] - self.means).square() * self.precision).sum(2)
        return -torch.logsumexp(self.log_weights - squared / 2, dim=1)
