"""Tests of exchangeability of calibration samples: dependence on time, and groups with more false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from vssl.decisions.bounds import lower_rate, observed_rate
from vssl.decisions.episodes import SPAN
from vssl.decisions.policy import Rate
from vssl.types import Embeddings

SIGNIFICANT_Z = 4.0
"""A rank correlation this many standard errors from 0 is significant: 1 in 15,000 by chance."""
MAX_GROUPS = 20
"""A column with more values than this is not tested for groups."""


def serial_dependence(scores: Float[np.ndarray, " N"], order: np.ndarray) -> float | None:
    """The larger rank correlation of scores with their predecessors and with time; None if it is not significant.

    Args:
        scores: Scores of normal samples.
        order: Times of the samples, or any values that sort like time.
    """
    if len(scores) < 10:
        return None
    ordered = scores[np.argsort(order, kind="stable")]
    ranks = stats.rankdata(ordered)
    correlations = [_correlation(ranks[1:], ranks[:-1]), _correlation(ranks, np.arange(len(ranks)))]
    strongest = max(correlations, key=abs)
    return strongest if abs(strongest) * np.sqrt(len(scores)) > SIGNIFICANT_Z else None


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first, second)[0, 1]) if np.ptp(first) and np.ptp(second) else 0.0


@dataclass(frozen=True)
class DifferingGroup:
    """A group of normal samples whose false-alarm rate is above the guaranteed one."""

    column: str
    value: str
    alarms: Rate


def differing_groups(samples: Embeddings, alarm: Bool[np.ndarray, " N"], guaranteed: float) -> list[DifferingGroup]:
    """Groups, by every metadata column with few values, whose false-alarm rate is significantly above `guaranteed`."""
    differing = []
    for column in samples.table.column_names:
        if column in Embeddings.COLUMNS:
            continue
        values = np.array([str(value) for value in samples.table[column].to_pylist()])
        names = sorted(set(values))
        for name in names if 1 < len(names) <= MAX_GROUPS else ():
            rate = observed_rate(alarm[values == name])
            # Bonferroni over the groups: in 19 of 20 columns none is named by chance.
            if lower_rate(rate.count, rate.of, 1 - 0.05 / len(names)) > guaranteed:
                differing.append(DifferingGroup(column, name, rate))
    return differing


def windows_overlap(samples: Embeddings) -> bool:
    """Whether some of the samples are windows of one series that share rows."""
    if not all(name in samples for name in SPAN):
        return False
    rows = samples.table.select(list(SPAN)).sort_by([("series", "ascending"), ("start", "ascending")]).to_pylist()
    return any(one["series"] == next_["series"] and next_["start"] < one["end"] for one, next_ in pairwise(rows))
