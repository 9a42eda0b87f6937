"""The scores that benchmarks compare: one table of names, as records and pages have them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from vssl import Embeddings
from vssl.scores import Score, ambiguity, disagreement, elbo_gap, knn, mahalanobis, mixture, novelty, patches

SCORES: dict[str, tuple[ModuleType, Any]] = {
    "novelty": (novelty, novelty.Config()),
    "patches": (patches, patches.Config()),
    "5-NN, whitened features": (knn, knn.Config()),
    "5-NN, features": (knn, knn.Config(space="features")),
    "5-NN, latent means": (knn, knn.Config(space="mean")),
    "Mahalanobis, features": (mahalanobis, mahalanobis.Config()),
    "Mahalanobis, raw_descriptor": (mahalanobis, mahalanobis.Config("raw_descriptor")),
    "mixture of 8 Gaussians": (mixture, mixture.Config()),
    "ambiguity": (ambiguity, ambiguity.Config()),
    "disagreement": (disagreement, disagreement.Config()),
    "ELBO gap": (elbo_gap, elbo_gap.Config()),
}


def fit(name: str, reference: Embeddings) -> Score:
    """The score of that name, fitted to the reference set."""
    module, config = SCORES[name]
    fitted: Score = module.fit(config, reference)
    return fitted
