"""How well scores of rows find anomalies that are stretches: areas under curves, with a tolerance at their borders.

Where an anomaly begins and ends is seldom known to the row. So its label fades out over a buffer on either side, a
stretch counts as found by its rows and by being found at all, and the area is averaged over lengths of the buffer
(Paparrizos et al., "Volume Under the Surface", VLDB 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from vssl.errors import DataError

THRESHOLDS = 250


@dataclass(frozen=True)
class Volume:
    """Areas under the range-aware curves, each averaged over the lengths of the buffer, in 0..1.

    Attributes:
        roc: VUS-ROC; 0.5 by chance.
        pr: VUS-PR; about the share of anomalous rows by chance.
    """

    roc: float
    pr: float


def vus(scores: Float[np.ndarray, " n"], anomalous: Bool[np.ndarray, " n"], buffer: int) -> Volume:
    """The volume under the surface of one series.

    Args:
        scores: Of each row; higher is worse.
        anomalous: The truth.
        buffer: The longest buffer in rows, both sides together; all lengths from 0 to it count alike.

    Raises:
        DataError: A score that is not finite, or rows of one kind only.
    """
    if not np.isfinite(scores).all():
        raise DataError(f"{np.sum(~np.isfinite(scores))} of the scores are not finite numbers.")
    if anomalous.all() or not anomalous.any():
        raise DataError("VUS needs anomalous rows and others.")
    order = np.argsort(-scores, kind="stable")
    rank = np.empty(len(scores), np.int64)
    rank[order] = np.arange(len(scores))
    limits = scores[order][np.linspace(0, len(scores) - 1, THRESHOLDS).astype(int)]
    alarms = np.searchsorted(-scores[order], -limits, side="right")
    areas = [
        _areas(softened(anomalous, length), int(anomalous.sum()), order, rank, alarms) for length in range(buffer + 1)
    ]
    roc, pr = np.mean(areas, axis=0)
    return Volume(float(roc), float(pr))


def softened(anomalous: Bool[np.ndarray, " n"], length: int) -> Float[np.ndarray, " n"]:
    """Labels that fade out: d rows before or behind an anomaly sqrt(1 - d / length), up to half of the length."""
    labels = anomalous.astype(float)
    for first, last in _stretches(anomalous):
        distance = np.arange(1, length // 2 + 1)
        fading = np.sqrt(1 - distance / max(length, 1))
        for place in (first - distance, last + distance):
            inside = (place >= 0) & (place < len(labels))
            labels[place[inside]] += fading[inside]
    return labels.clip(max=1)


def _areas(
    labels: Float[np.ndarray, " n"],
    anomalous: int,
    order: Int64[np.ndarray, " n"],
    rank: Int64[np.ndarray, " n"],
    alarms: Int64[np.ndarray, " k"],
) -> tuple[float, float]:
    """ROC and PR area for one length of the buffer, at thresholds that raise so many alarms.

    The PR area goes in steps, as average precision does: straight lines between its points would reward ties, so that a
    constant score had half of the area.
    """
    hits = np.concatenate([[0], labels[order].cumsum()])[alarms]
    positives = (anomalous + labels.sum()) / 2
    earliest = np.sort([rank[first : last + 1].min() for first, last in _stretches(labels > 0)])
    existence = np.searchsorted(earliest, alarms) / len(earliest)
    found = np.concatenate([[0], np.minimum(hits / positives, 1) * existence])
    false = np.concatenate([[0], (alarms - hits) / (len(labels) - positives)])
    precision = hits / alarms
    roc = np.trapezoid([*found, 1], [*false, 1])
    return float(roc), float((np.diff(found) * precision).sum())


def _stretches(marked: Bool[np.ndarray, " n"]) -> list[tuple[int, int]]:
    """First and last row of each stretch."""
    edges = np.diff(np.concatenate([[0], marked.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))


def rows_from_windows(
    scores: Float[np.ndarray, " k"], starts: Int64[np.ndarray, " k"], window: int, rows: int
) -> Float[np.ndarray, " n"]:
    """The score of each row: the mean of the windows that cover it; of a row that none covers that of the nearest one.

    Args:
        starts: First row of each window.
        window: Rows of a window.
        rows: n, how many there are.

    Raises:
        DataError: There is no window, one has no finite score, or lies outside of the rows.
    """
    if not len(scores):
        raise DataError("There is no window, so rows have no score.")
    if not np.isfinite(scores).all():
        raise DataError(f"{np.sum(~np.isfinite(scores))} of {len(scores)} windows have a score that is not finite.")
    if starts.min() < 0 or starts.max() + window > rows:
        raise DataError(f"Windows reach from row {starts.min()} to {starts.max() + window}, and there are {rows} rows.")
    sums, counts = np.zeros(rows + 1), np.zeros(rows + 1)
    for total, value in ((sums, scores), (counts, np.ones(len(scores)))):
        np.add.at(total, starts, value)
        np.add.at(total, starts + window, -value)
    covered = counts.cumsum()[:rows] > 0.5
    means: np.ndarray = np.divide(sums.cumsum()[:rows], counts.cumsum()[:rows], where=covered, out=np.zeros(rows))
    if covered.all():
        return means
    filled: np.ndarray = means[_nearest(np.flatnonzero(covered), rows)]
    return filled


def _nearest(known: Int64[np.ndarray, " m"], rows: int) -> Int64[np.ndarray, " n"]:
    """For each row the nearest of some rows, the earlier of two."""
    behind = np.searchsorted(known, np.arange(rows)).clip(max=len(known) - 1)
    before = (behind - 1).clip(min=0)
    nearer = np.abs(known[before] - np.arange(rows)) <= np.abs(known[behind] - np.arange(rows))
    return known[np.where(nearer, before, behind)]
