"""Novelty by a mixture of Gaussians: the negative log-likelihood of the features, in nats.

Several kinds of good samples make several clusters, between which one Gaussian sees nothing unusual. The features are
first turned and scaled to unit variance in their main directions (PCA), so that diagonal covariances suffice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline, make_pipeline

from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score
from vssl.types import Embeddings


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


def fit(config: Config, bank: Embeddings) -> Score:
    if len(bank) < 2 * config.components:
        raise DataError(
            f"{len(bank)} samples are too few for {config.components} Gaussians; the bank needs two for each."
        )
    features = bank.features.astype(np.float64)
    kept = min(config.dimensions, *features.shape)
    mixture = GaussianMixture(config.components, covariance_type="diag", random_state=config.seed, reg_covar=1e-3)
    return Mixture(make_pipeline(PCA(kept, whiten=True, random_state=config.seed), mixture).fit(features))


@dataclass(frozen=True)
class Mixture:
    """Holds the fitted mixture."""

    mixture: Pipeline

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, " N"]:
        return -self.mixture.score_samples(samples.features.astype(np.float64))
