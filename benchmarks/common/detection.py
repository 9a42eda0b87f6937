"""How well scores separate pictures with defects from others, and how well anomaly maps locate the defects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from sklearn.metrics import roc_auc_score

from benchmarks.common.aupro import aupro
from benchmarks.data.inspection import Picture

SIDE = 320
"""Longest side in pixels at which maps and marked regions are compared."""
RATES = (0.01, 0.05)
GOOD_AREA = 0.01
"""Share of the good area in which the map may be above the threshold."""


def detected(scores: Float[np.ndarray, " N"], defect: Bool[np.ndarray, " N"]) -> dict[str, float]:
    """AUROC of the pictures, and the share of defects missed when 1 % and 5 % of the tested normals raise an alarm."""
    figures = {"auroc": float(roc_auc_score(defect, scores))}
    for rate in RATES:
        # A score of the normals themselves, above which at most this share of them lies.
        threshold = np.quantile(scores[~defect], 1 - rate, method="inverted_cdf")
        figures[f"misses_at_{rate:g}"] = float((scores[defect] <= threshold).mean())
    return figures


def located(maps: Float[np.ndarray, "N h w"], pictures: Sequence[Picture], boxed: bool) -> dict[str, float]:
    """Share of the marked regions that the map hits, and AUPRO where regions are marked exactly.

    A region is hit where the map exceeds, somewhere inside it, the value that `GOOD_AREA` of the good area exceeds: all
    area outside of the regions, in pictures with and without a defect. Pictures whose defect is not marked are left
    out; where none is marked there is nothing to say.
    """
    rows = [row for row, picture in enumerate(pictures) if picture.located]
    if not any(pictures[row].defect for row in rows):
        return {}
    height, width = _size(pictures[rows[0]])
    heat = F.interpolate(
        torch.from_numpy(np.ascontiguousarray(maps[rows], np.float32))[:, None],
        (height, width),
        mode="bilinear",
        align_corners=False,
    )[:, 0].numpy()
    masks = np.zeros(heat.shape, bool)
    peaks: list[float] = []
    for row, picture in enumerate(pictures[each] for each in rows):
        if picture.defect:
            regions = picture.regions(height, width)
            masks[row] = regions.any(0)
            separate = regions if boxed else _connected(regions[0])
            peaks.extend(float(heat[row][region].max()) for region in separate)
    threshold = np.quantile(heat[~masks], 1 - GOOD_AREA)
    figures = {"regions": len(peaks), "hits_at_0.01": float(np.mean(np.array(peaks) > threshold))}
    return figures if boxed else figures | {"aupro_0.3": aupro(heat, masks)}


def _size(picture: Picture) -> tuple[int, int]:
    from PIL import Image

    with Image.open(picture.path) as opened:
        width, height = opened.size
    scale = min(1.0, SIDE / max(height, width))
    return round(height * scale), round(width * scale)


def _connected(mask: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "n H W"]:
    from scipy import ndimage

    labels, count = ndimage.label(mask, np.ones((3, 3)))
    return np.array([labels == each + 1 for each in range(count)])
