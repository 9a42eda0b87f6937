"""A plane to look at samples on: the two directions in which the bank varies most."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA

from vssl.types import Embeddings


@dataclass(frozen=True)
class Plane:
    """A projection of latent means: coordinates = (mean - centre) @ axes.

    Attributes:
        centre: Mean of the bank.
        axes: The first two principal components of the bank, each divided by its standard deviation.
        bank: Coordinates of the bank.
    """

    centre: Float[np.ndarray, " D"]
    axes: Float[np.ndarray, "D 2"]
    bank: Float[np.ndarray, "N 2"]


def fit_plane(bank: Embeddings) -> Plane:
    """The plane of the bank, in float32, because an export computes in it."""
    means = bank.numpy("mean").astype(np.float64)
    pca = PCA(2, svd_solver="full").fit(means)
    axes = (pca.components_ / np.sqrt(pca.explained_variance_)[:, None].clip(min=1e-9)).T
    coordinates = (means - pca.mean_) @ axes
    return Plane(pca.mean_.astype(np.float32), axes.astype(np.float32), coordinates.astype(np.float32))
