"""Whether calibration samples can stand for later ones: in groups that differ, depending on time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from vssl.decisions.bounds import lower_rate
from vssl.decisions.measure import Rate
from vssl.types import Embeddings

# A rank correlation so far from 0, in standard errors, is no chance: one in 15,000 by luck.
SURE = 4.0
# With more values than this a column is no group.
MOST_GROUPS = 20


def serial_dependence(scores: Float[np.ndarray, " N"], order: np.ndarray) -> float | None:
    """The rank correlation of scores with their predecessors or with time; None if it may be chance.

    Args:
        scores: Of normal samples.
        order: Their times, or anything that sorts like time.
    """
    if len(scores) < 10:
        return None
    ordered = scores[np.argsort(order, kind="stable")]
    ranks = stats.rankdata(ordered)
    found = [_correlation(ranks[1:], ranks[:-1]), _correlation(ranks, np.arange(len(ranks)))]
    strongest = max(found, key=abs)
    return strongest if abs(strongest) * np.sqrt(len(scores)) > SURE else None


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first, second)[0, 1]) if np.ptp(first) and np.ptp(second) else 0.0


@dataclass(frozen=True)
class Difference:
    """A group of normals that raises more false alarms than were guaranteed."""

    column: str
    value: str
    alarms: Rate


def differing_groups(samples: Embeddings, alarm: Bool[np.ndarray, " N"], guaranteed: float) -> list[Difference]:
    """Groups, by every metadata column with few values, whose false-alarm rate is surely above the guaranteed one."""
    found = []
    for column in samples.table.column_names:
        if column in Embeddings.COLUMNS:
            continue
        values = np.array([str(value) for value in samples.table[column].to_pylist()])
        names = sorted(set(values))
        for name in names if 1 < len(names) <= MOST_GROUPS else ():
            rate = Rate.counted(alarm[values == name])
            # With the doubt divided among the groups, none is named by chance in 19 columns of 20.
            if lower_rate(rate.count, rate.of, 1 - 0.05 / len(names)) > guaranteed:
                found.append(Difference(column, name, rate))
    return found


def worst_of_each(scores: Float[np.ndarray, " N"], blocks: np.ndarray) -> Float[np.ndarray, " K"]:
    """The highest score of each block, blocks in the order of their names or numbers."""
    names, block = np.unique(blocks, return_inverse=True)
    worst = np.full(len(names), -np.inf)
    np.maximum.at(worst, block, scores)
    return worst
