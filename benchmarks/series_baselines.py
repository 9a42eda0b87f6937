"""Rivals that need no training to speak of: scores of windows, from their scaled values alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 5
COMPONENTS = 0.9
"""Share of the variance that the kept directions explain."""


def pca(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Squared error of the reconstruction from the main directions."""
    fitted = PCA(COMPONENTS, svd_solver="full").fit(known)
    return np.square(new - fitted.inverse_transform(fitted.transform(new))).mean(1)


def isolation(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    return -IsolationForest(n_estimators=200, random_state=0).fit(known).score_samples(new)


def nearest(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Mean Euclidean distance to the nearest known windows."""
    return NearestNeighbors(n_neighbors=NEIGHBOURS).fit(known).kneighbors(new)[0].mean(1)


def largest(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The largest distance of a value from the middle of its channel, in spreads: a plain limit on each sensor."""
    return np.abs(new).max(1)


RIVALS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "PCA reconstruction": pca,
    "Isolation Forest on windows": isolation,
    "5-NN on windows": nearest,
    "largest deviation": largest,
}
