"""Whitening: coordinates in which a reference set has the identity as its covariance.

Features vary mostly in a few directions, which dominate their cosine similarity, while rare classes and defects differ
mostly in the others. The Mahalanobis cosine compares x and y by (x - m)' C^-1 (y - m), with the mean m and the
covariance C of the reference set (PCA whitening before retrieval: Jégou and Chum 2012, ECCV).
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

VARIANCE_FLOOR = 1e-7  # relative to the largest variance; smaller ones are rounding errors
NORM_FLOOR = 1e-12


class Whitening(nn.Module):
    """Whitened vectors.

    Attributes:
        mean: m, the mean of the reference set.
        matrix: W with W W' = C^-1: whitened vectors are (x - m) W.
        exponent: Power to which the length of a whitened vector is raised: 0 gives unit vectors, 1 changes nothing.
    """

    def __init__(self, mean: Float[Tensor, " F"], matrix: Float[Tensor, "F F"], exponent: float) -> None:
        super().__init__()
        self.mean = nn.Buffer(mean)
        self.matrix = nn.Buffer(matrix)
        self.exponent = exponent

    def forward(self, vectors: Float[Tensor, "B F"]) -> Float[Tensor, "B F"]:
        whitened = (vectors.float() - self.mean) @ self.matrix
        lengths: Tensor = whitened.norm(dim=1, keepdim=True).clamp(min=NORM_FLOOR)
        return whitened * lengths ** (self.exponent - 1)


def fit(reference: Float[Tensor, "N F"], exponent: float = 0) -> Whitening:
    """The whitening of a reference set of two vectors or more, with shrunk covariance (Ledoit and Wolf 2004).

    Args:
        exponent: See `Whitening`. 0, the default, suits the retrieval of similar samples. Novelty detection needs the
            length too: an outlier far from all reference vectors may have the direction of some.
    """
    # Imported here, because all commands import the scores and scikit-learn takes long to import.
    from sklearn.covariance import LedoitWolf

    gaussian = LedoitWolf().fit(reference.cpu().double().numpy())
    variances, axes = np.linalg.eigh(gaussian.covariance_)
    # Where all reference vectors are equal, any scale will do.
    scale = (
        np.maximum(variances, VARIANCE_FLOOR * variances.max()) ** -0.5 if variances.max() > 0 else np.ones(len(axes))
    )
    return Whitening(torch.from_numpy(gaussian.location_).float(), torch.from_numpy(axes * scale).float(), exponent)
