"""Comparison methods for sensor series: scores of windows from their scaled values, with no encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 5
COMPONENTS = 0.9
"""Share of the variance that the principal components explain."""


@dataclass(frozen=True)
class Windows:
    """Windows of one part of a series.

    Attributes:
        values: [N, C, T], scaled by the training series.
        starts: First row of each window [N].
        series: The scaled rows that the windows are taken from [rows, C].
    """

    values: np.ndarray
    starts: np.ndarray
    series: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        return np.asarray(self.values.reshape(len(self.values), -1), np.float64)


def pca(reference: Windows, new: Windows) -> np.ndarray:
    """Mean squared error of the reconstruction from the principal components."""
    fitted = PCA(COMPONENTS, svd_solver="full").fit(reference.flat)
    return np.asarray(np.square(new.flat - fitted.inverse_transform(fitted.transform(new.flat))).mean(1))


def gaussian(reference: Windows, new: Windows) -> np.ndarray:
    """Squared Mahalanobis distance by a shrunk covariance: `mahalanobis` on the raw descriptor, without an encoder."""
    return np.asarray(LedoitWolf().fit(reference.flat).mahalanobis(new.flat))


def isolation(reference: Windows, new: Windows) -> np.ndarray:
    forest = IsolationForest(n_estimators=200, random_state=0).fit(reference.flat)
    return np.asarray(-forest.score_samples(new.flat))


def nearest(reference: Windows, new: Windows) -> np.ndarray:
    """Mean Euclidean distance to the 5 nearest reference windows."""
    distances = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(reference.flat).kneighbors(new.flat)[0]
    return np.asarray(distances.mean(1))


def matrix_profile(reference: Windows, new: Windows) -> np.ndarray:
    """Mean over the channels of the z-normalised distance to the nearest subsequence of the reference series."""
    # Imported late: it is no dependency of vssl, and the other methods work without it.
    import stumpy

    length = new.values.shape[2]
    profiles = [
        stumpy.stump(
            np.ascontiguousarray(channel, np.float64),
            length,
            np.ascontiguousarray(earlier, np.float64),
            ignore_trivial=False,
        )
        for channel, earlier in zip(new.series.T, reference.series.T, strict=True)
    ]
    return np.asarray(np.mean([profile[new.starts, 0].astype(np.float64) for profile in profiles], axis=0))


def largest(reference: Windows, new: Windows) -> np.ndarray:
    """The largest absolute scaled value: a fixed limit on each sensor."""
    return np.asarray(np.abs(new.flat).max(1))


RIVALS: dict[str, Callable[[Windows, Windows], np.ndarray]] = {
    "PCA reconstruction": pca,
    "Mahalanobis on windows": gaussian,
    "Isolation Forest on windows": isolation,
    "5-NN on windows": nearest,
    "matrix profile": matrix_profile,
    "largest deviation": largest,
}
