"""Whether calibration samples can stand for later ones: seen before, in groups that differ, depending on time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from vssl.decide.bounds import lower_rate
from vssl.decide.measure import Rate
from vssl.errors import DataError
from vssl.types import Embeddings

SMALL_SHARE = 0.01
"""So few samples that were seen before are left out; more are refused."""

# A rank correlation so far from 0, in standard errors, is no chance: one in 15,000 by luck.
SURE = 4.0
# With more values than this a column is no group.
MOST_GROUPS = 20


def unseen(samples: Embeddings, known: set[str], what: str, where: str) -> tuple[Embeddings, int]:
    """The samples whose content is not `known`, and how many were left out.

    A sample that the encoder or the bank has seen looks more familiar than a new one, so its score promises nothing.

    Raises:
        DataError: More than `SMALL_SHARE` of them are known, or all.
    """
    new = np.array([content not in known for content in samples.table["content"].to_pylist()], dtype=bool)
    seen = int((~new).sum())
    if seen and (seen > SMALL_SHARE * len(new) or not new.any()):
        first = ", ".join(np.array(samples.ids)[~new][:3])
        raise DataError(
            f"{seen} of {len(new)} {what} are in {where} too ({first}{', ...' if seen > 3 else ''}): they look more "
            "familiar than new samples will, so a threshold from them promises nothing. Give samples that were kept "
            "apart."
        )
    return (samples if not seen else samples.where(new)), seen


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
    """A group of normals that raises more false alarms than were promised."""

    column: str
    value: str
    alarms: Rate


def differing_groups(samples: Embeddings, alarm: Bool[np.ndarray, " N"], promised: float) -> list[Difference]:
    """Groups, by every metadata column with few values, whose false-alarm rate is surely above the promised one."""
    found = []
    for column in samples.table.column_names:
        if column in Embeddings.COLUMNS:
            continue
        values = np.array([str(value) for value in samples.table[column].to_pylist()])
        names = sorted(set(values))
        for name in names if 1 < len(names) <= MOST_GROUPS else ():
            rate = Rate.counted(alarm[values == name])
            # With the doubt divided among the groups, none is named by chance in 19 columns of 20.
            if lower_rate(rate.count, rate.of, 1 - 0.05 / len(names)) > promised:
                found.append(Difference(column, name, rate))
    return found


def worst_of_each(scores: Float[np.ndarray, " N"], blocks: np.ndarray) -> Float[np.ndarray, " K"]:
    """The highest score of each block, blocks in the order of their names."""
    _, block = np.unique(blocks.astype(str), return_inverse=True)
    worst = np.full(block.max() + 1, -np.inf)
    np.maximum.at(worst, block, scores)
    return worst
