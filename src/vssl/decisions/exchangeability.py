"""Tests of exchangeability of calibration samples: dependence between them, and groups with more false alarms."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from vssl.decisions.bounds import lower_rate, observed_rate
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.core import REJECT
from vssl.decisions.episodes import SPAN
from vssl.decisions.groupings import dependent_groupings
from vssl.decisions.policy import Rate
from vssl.decisions.samples import metadata_column
from vssl.types import Embeddings

if TYPE_CHECKING:
    from vssl.decisions.calibrate import ScoredSet

SIGNIFICANT_Z = 4.0
"""A rank correlation this many standard errors from 0 is significant: 1 in 15,000 by chance."""
MAX_GROUPS = 20
"""A column with more values than this is tested for blocks instead of groups: later samples have new values."""


def dependence_caveats(config: CalibrationConfig, normal: ScoredSet) -> list[str]:
    """Why the normal samples are not exchangeable, so that nothing can be guaranteed; empty if they may be."""
    if config.block is not None:
        return []
    if windows_overlap(normal.samples):
        return [
            "The samples are overlapping windows, so they are not independent. Count each stretch of time once: "
            "--block block."
        ]
    return [*_grouping_caveats(config, normal), *_time_caveats(config, normal)]


def _grouping_caveats(config: CalibrationConfig, normal: ScoredSet) -> list[str]:
    """What to name as blocks, for each grouping of many values whose groups have scores that are alike."""
    return [
        f"The samples are not independent: scores of samples with the same {each.name} are alike (intraclass "
        f"correlation {each.correlation:.2f}), so {each.samples:,} samples of {each.groups:,} groups count about as "
        f"much as {each.effective:,} independent ones. The rates may not hold for samples with a new {each.name}: "
        f"{each.advice}."
        for each in dependent_groupings(normal.samples, normal.scores, normal.units, MAX_GROUPS + 1)
        if each.name not in (config.group, config.time)
    ]


def _time_caveats(config: CalibrationConfig, normal: ScoredSet) -> list[str]:
    if config.time is None:
        return []
    if config.time in normal.samples:
        order = normal.samples.numpy(config.time)
    else:
        order = metadata_column(normal.samples, config.time, "The list of normal samples")
    correlation = serial_dependence(normal.scores, order)
    if correlation is None:
        return []
    return [
        f"The samples are not exchangeable: ordered by {config.time}, scores have a rank correlation of "
        f"{correlation:.2f} with their predecessors or with time. Name the column of what belongs together (a shift, "
        "an episode, a lot): --block COLUMN."
    ]


def group_caveats(config: CalibrationConfig, normal: ScoredSet, outcomes: np.ndarray) -> list[str]:
    """Groups of normal samples that are rejected more often than guaranteed."""
    if config.block is not None:
        return []
    return [
        f"Uneven: normal samples with {column} = {value} were rejected at a rate of {rate}. The guarantee is for all "
        f"samples together, not for this group; --group {column} calibrates each group separately."
        for column, value, rate in differing_groups(normal.samples, outcomes == REJECT, config.guarantee.false_alarm)
        if column != config.group
    ]


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


def differing_groups(
    samples: Embeddings, alarm: Bool[np.ndarray, " N"], guaranteed: float
) -> list[tuple[str, str, Rate]]:
    """Column, value and false-alarm rate of each group whose rate is significantly above the guaranteed one.

    Every metadata column with few values is taken as groups.
    """
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
                differing.append((column, name, rate))
    return differing


def windows_overlap(samples: Embeddings) -> bool:
    """Whether some of the samples are windows of one series that share rows."""
    if not all(name in samples for name in SPAN):
        return False
    rows = samples.table.select(list(SPAN)).sort_by([("series", "ascending"), ("start", "ascending")]).to_pylist()
    return any(one["series"] == next_["series"] and next_["start"] < one["end"] for one, next_ in pairwise(rows))
