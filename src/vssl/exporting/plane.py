"""A plane to look at samples on: the two directions in which the known ones differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA

from vssl.types import Embeddings


@dataclass(frozen=True)
class Plane:
    """Where a latent mean lies on the plane: (mean - centre) @ axes.

    Attributes:
        centre: Mean of the known samples.
        axes: Their first two principal components, each divided by its standard deviation.
        known: Where the known samples lie.
    """

    centre: Float[np.ndarray, " D"]
    axes: Float[np.ndarray, "D 2"]
    known: Float[np.ndarray, "N 2"]


def plane_of(bank: Embeddings) -> Plane:
    """The plane of some known samples; in float32, as an export computes."""
    means = bank.numpy("mean").astype(np.float64)
    found = PCA(2, svd_solver="full").fit(means)
    axes = (found.components_ / np.sqrt(found.explained_variance_)[:, None].clip(min=1e-9)).T
    known = (means - found.mean_) @ axes
    return Plane(found.mean_.astype(np.float32), axes.astype(np.float32), known.astype(np.float32))
