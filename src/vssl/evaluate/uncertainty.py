"""The uncertainties that are judged: the learned one, and the stand-ins that need no learned variance."""

from __future__ import annotations

import numpy as np

from vssl.evaluate.neighbours import Neighbours
from vssl.types import Embeddings


def uncertainties(samples: Embeddings, near: Neighbours) -> dict[str, np.ndarray]:
    """Uncertainties [N] by name; higher means less to be trusted.

    `nn_distance` is 1 - cosine to the nearest neighbour, `knn_distance` its mean over all neighbours found,
    `feature_norm` the negative Euclidean norm of the features; `ambiguity` is there if the method has a variance, and
    `disagreement` if the samples' views have been compared.
    """
    distance = 1 - near.similarity.numpy()
    found = {
        "nn_distance": distance[:, 0],
        "knn_distance": distance.mean(axis=1),
        "feature_norm": -np.linalg.norm(samples.features, axis=1),
    }
    return found | {name: samples.numpy(name) for name in ("ambiguity", "disagreement") if name in samples}
