"""Localisation: AUPRO, the area under the per-region-overlap curve of anomaly maps (Bergmann et al. 2021).

At each threshold the overlap is the covered share of each connected region of defect, averaged over the regions, so
that a large defect does not outweigh many small ones; the curve runs over the false-positive rate of all other pixels
up to a limit (0.3, or the stricter 0.05), and its area is divided by that limit.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from vssl.errors import DataError


def aupro(maps: Float[np.ndarray, "N H W"], masks: Bool[np.ndarray, "N H W"], limit: float = 0.3) -> float:
    """Area under the per-region-overlap curve up to a false-positive rate, in 0..1; regions touch by edge or corner.

    Args:
        maps: Anomaly maps; higher means more anomalous.
        masks: True where there is a defect.

    Raises:
        DataError: The shapes differ, or the masks hold no defect, or nothing else.
    """
    if maps.shape != masks.shape:
        raise DataError(f"The maps have the shape {maps.shape} and the masks {masks.shape}; they must be the same.")
    if not masks.any() or masks.all():
        raise DataError("Localisation needs pixels with a defect and pixels without.")
    weights, regions = np.zeros(masks.shape), 0
    for row, mask in enumerate(masks):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        sizes = np.bincount(labels.ravel())
        weights[row] = np.where(mask, 1 / sizes[labels], 0.0)
        regions += count
    order = np.argsort(-maps, axis=None, kind="stable")
    overlap = np.cumsum(weights.ravel()[order]) / regions
    false = np.cumsum(~masks.ravel()[order]) / (~masks).sum()
    # Pixels of one value are added together: the curve has a point only where the value changes.
    values = maps.ravel()[order]
    ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)
    false, overlap = np.append(0.0, false[ends]), np.append(0.0, overlap[ends])
    inside = false <= limit
    at_limit = np.interp(limit, false, overlap)
    return float(np.trapezoid(np.append(overlap[inside], at_limit), np.append(false[inside], limit)) / limit)
