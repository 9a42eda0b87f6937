"""Rivals that need no training to speak of: scores of windows, from their scaled values alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import stumpy
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 5
COMPONENTS = 0.9
"""Share of the variance that the kept directions explain."""


@dataclass(frozen=True)
class Windows:
    """Windows of one stretch of a series.

    Attributes:
        values: [N, C, T], scaled by the training series.
        starts: Of each window the row it starts at [N].
        series: The scaled rows they were cut from [rows, C].
    """

    values: np.ndarray
    starts: np.ndarray
    series: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        return self.values.reshape(len(self.values), -1).astype(np.float64)


def pca(known: Windows, new: Windows) -> np.ndarray:
    """Squared error of the reconstruction from the main directions."""
    fitted = PCA(COMPONENTS, svd_solver="full").fit(known.flat)
    return np.square(new.flat - fitted.inverse_transform(fitted.transform(new.flat))).mean(1)


def gaussian(known: Windows, new: Windows) -> np.ndarray:
    """Squared Mahalanobis distance by a shrunk covariance: `mahalanobis` on the raw descriptor, without an encoder."""
    fitted = LedoitWolf().fit(known.flat)
    return fitted.mahalanobis(new.flat)


def isolation(known: Windows, new: Windows) -> np.ndarray:
    return -IsolationForest(n_estimators=200, random_state=0).fit(known.flat).score_samples(new.flat)


def nearest(known: Windows, new: Windows) -> np.ndarray:
    """Mean Euclidean distance to the nearest known windows."""
    return NearestNeighbors(n_neighbors=NEIGHBOURS).fit(known.flat).kneighbors(new.flat)[0].mean(1)


def matrix_profile(known: Windows, new: Windows) -> np.ndarray:
    """Of each channel the distance to the nearest known stretch at any row, level and size taken out; their mean."""
    length = new.values.shape[2]
    profiles = [
        stumpy.stump(
            np.ascontiguousarray(channel, np.float64),
            length,
            np.ascontiguousarray(before, np.float64),
            ignore_trivial=False,
        )
        for channel, before in zip(new.series.T, known.series.T, strict=True)
    ]
    return np.mean([profile[new.starts, 0].astype(np.float64) for profile in profiles], axis=0)


def largest(known: Windows, new: Windows) -> np.ndarray:
    """The largest distance of a value from the middle of its channel, in spreads: a plain limit on each sensor."""
    return np.abs(new.flat).max(1)


RIVALS: dict[str, Callable[[Windows, Windows], np.ndarray]] = {
    "PCA reconstruction": pca,
    "Mahalanobis on windows": gaussian,
    "Isolation Forest on windows": isolation,
    "5-NN on windows": nearest,
    "matrix profile": matrix_profile,
    "largest deviation": largest,
}
