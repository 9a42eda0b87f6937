"""Whitening: vectors in coordinates in which the known ones spread alike in all directions.

Encoders spread their features over a few directions; the cosine then hears those alone, and what tells rare classes and
defects apart lies mostly in the others. The Mahalanobis cosine compares x and y by (x - m)' C^-1 (y - m), with the mean
m and the covariance C of known vectors (as PCA whitening before retrieval: Jégou and Chum 2012, ECCV).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

LEAST = 1e-7  # of the largest variance: what is smaller is rounding
SHORTEST = 1e-12


class Whitening(nn.Module):
    """Whitened vectors.

    Attributes:
        mean: Of the known vectors [F].
        matrix: W [F, F] with W W' = C^-1: whitened vectors are (x - mean) W.
        length: The power of their length that they keep: 0 makes them directions of length 1, 1 changes nothing.
    """

    def __init__(self, mean: Float[Tensor, " F"], matrix: Float[Tensor, "F F"], length: float) -> None:
        super().__init__()
        self.mean = nn.Buffer(mean)
        self.matrix = nn.Buffer(matrix)
        self.length = length

    def forward(self, vectors: Float[Tensor, "B F"]) -> Float[Tensor, "B F"]:
        whitened = (vectors.float() - self.mean) @ self.matrix
        return whitened * whitened.norm(dim=1, keepdim=True).clamp(min=SHORTEST) ** (self.length - 1)


def fit(known: Float[Tensor, "N F"], length: float = 0) -> Whitening:
    """From two known vectors on; the covariance is shrunk (Ledoit and Wolf 2004), the more the fewer they are.

    Args:
        length: As in `Whitening`. Directions find like among like. Whether a sample is like any known one needs the
            length too: a stranger far from all of them may lie in the direction of some.
    """
    # Imported late: every verb knows the scores' options, and scikit-learn takes long to import.
    from sklearn.covariance import LedoitWolf

    gaussian = LedoitWolf().fit(known.cpu().double().numpy())
    variances, axes = np.linalg.eigh(gaussian.covariance_)
    # Where all known vectors are the same there is no spread, and any scale will do.
    scale = np.maximum(variances, LEAST * variances.max()) ** -0.5 if variances.max() > 0 else np.ones(len(axes))
    return Whitening(torch.from_numpy(gaussian.location_).float(), torch.from_numpy(axes * scale).float(), length)
