"""The uncertainties that are judged: the learned one, stand-ins that need no variance, and both together."""

from __future__ import annotations

import numpy as np

from vssl.scores.neighbours import Neighbours
from vssl.types import Embeddings

# Copies of one image have distance 0 up to rounding, and no logarithm.
SMALLEST_DISTANCE = 1e-6


def uncertainties(
    samples: Embeddings, near: Neighbours, whitened_near: Neighbours, latent_near: Neighbours | None = None
) -> dict[str, np.ndarray]:
    """Uncertainties [N] by name; higher means less to be trusted.

    `nn_distance` is 1 - cosine to the nearest neighbour, `knn_distance` its mean over all neighbours found,
    `whitened_nn_distance` is that of whitened features, `latent_nn_distance` is taken in the latent space,
    `feature_norm` is the negative Euclidean norm of the features.
    `ambiguity` is there if the method has a variance, `disagreement` and `elbo_gap` if the samples' views have been
    compared.

    `posterior_distance` (extension) is the mean of ln nn_distance, ln latent_nn_distance and ambiguity. All three
    estimate the logarithm of a sample's squared distance to what it is to be told from: the first two from the one
    neighbour that was found, in either space, the third from all that the encoder has seen. The mean of several
    estimates is the better one.

    Args:
        near: The samples' neighbours by their features.
        whitened_near: By their whitened features.
        latent_near: Their nearest by the means of the latent, where there are means.
    """
    distance = 1 - near.similarity.numpy()
    found = {
        "nn_distance": distance[:, 0],
        "knn_distance": distance.mean(axis=1),
        "whitened_nn_distance": 1 - whitened_near.similarity[:, 0].numpy(),
        "feature_norm": -np.linalg.norm(samples.features, axis=1),
    }
    found |= {name: samples.numpy(name) for name in ("ambiguity", "disagreement", "elbo_gap") if name in samples}
    if latent_near is not None:
        found["latent_nn_distance"] = 1 - latent_near.similarity[:, 0].numpy()
        if "ambiguity" in found:
            measured = [_log(found[name]) for name in ("nn_distance", "latent_nn_distance")]
            found["posterior_distance"] = (sum(measured) + found["ambiguity"]) / 3
    return found


def _log(distance: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(distance, SMALLEST_DISTANCE))
