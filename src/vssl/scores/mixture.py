"""Mixture of Gaussians: the negative log-likelihood of the features, in nats.

Several kinds of good samples make several clusters, and one Gaussian sees nothing unusual between them. The features
are first rotated and scaled to unit variance in their principal components (PCA), so that diagonal covariances suffice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score, ScoreConfig
from vssl.stats.blocks import one_thread
from vssl.types import Embeddings

if TYPE_CHECKING:
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Negative log-likelihood under a mixture of Gaussians fitted to the bank.

    Attributes:
        components: Gaussians, 1 or more.
        dimensions: Principal components of the features to use, 1 or more; fewer where the bank has fewer.
        seed: Random seed of the fit.
    """

    columns = ("features",)
    meaning = (
        "Negative log-likelihood of the features under a mixture of Gaussians fitted to the known samples, in nats."
    )

    components: int = 8
    dimensions: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.components, self.dimensions) < 1:
            raise ConfigError("mixture.components and mixture.dimensions must be 1 or more.")


# Its samples cannot be left out of the fit one by one, and the other scores suffice to compare encoders.
EVALUATED: dict[str, ScoreConfig] = {}


@one_thread()
def fit(config: Config, bank: Embeddings) -> Score:
    if len(bank) < 2 * config.components:
        raise DataError(
            f"{len(bank)} samples are too few for {config.components} Gaussians; the bank needs two for each."
        )
    # Imported late: scikit-learn takes long to import, and every command imports the settings of all scores.
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    features = bank.features.astype(np.float64)
    pca = PCA(min(config.dimensions, *features.shape), whiten=True, random_state=config.seed)
    fitted = GaussianMixture(config.components, covariance_type="diag", random_state=config.seed, reg_covar=1e-3)
    fitted.fit(pca.fit_transform(features))
    return Score(config.columns, Mixture(pca, fitted))


class Mixture(nn.Module):
    """Holds the principal components and the fitted Gaussians."""

    def __init__(self, pca: PCA, fitted: GaussianMixture) -> None:
        super().__init__()
        self.centre = nn.Buffer(torch.from_numpy(pca.mean_))
        self.rotation = nn.Buffer(torch.from_numpy(pca.components_.T / np.sqrt(pca.explained_variance_)))
        self.means = nn.Buffer(torch.from_numpy(fitted.means_))
        self.precision = nn.Buffer(torch.from_numpy(1 / fitted.covariances_))
        weights = np.log(fitted.weights_) - np.log(2 * np.pi * fitted.covariances_).sum(1) / 2
        self.log_weights = nn.Buffer(torch.from_numpy(weights))

    def forward(self, features: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
        z = (features.double() - self.centre) @ self.rotation
        squared = ((z[:, None] - self.means).square() * self.precision).sum(2)
        return -torch.logsumexp(self.log_weights - squared / 2, dim=1)
