"""Caveats of a policy, in sentences: samples that depend on each other, copies among them, and groups that differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from vssl.decisions.config import CalibrationConfig
from vssl.decisions.core import REJECT
from vssl.decisions.exchangeability import differing_groups, serial_dependence, windows_overlap
from vssl.decisions.samples import metadata_column

if TYPE_CHECKING:
    from vssl.decisions.calibrate import ScoredSet


def dependence_caveats(config: CalibrationConfig, normal: ScoredSet) -> list[str]:
    """Why the normal samples are not exchangeable, so that nothing can be guaranteed; empty if they may be."""
    if config.block is not None:
        return []
    if windows_overlap(normal.samples):
        return [
            "The samples are overlapping windows, so they are not independent. Count each stretch of time once: "
            "--block block."
        ]
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


def copies_caveats(sets: Iterable[ScoredSet]) -> list[str]:
    """How many of the samples, or blocks, are copies of others."""
    caveats = []
    for item in sets:
        total, what = item.count_with_copies(), "samples" if item.blocks is None else "blocks"
        copies, copied_samples = total - item.count, len(item.units) - len(set(item.units.tolist()))
        if copies:
            caveats.append(
                f"{copies:,} of the {total:,} {item.role} {what} are copies of others, exact or nearly so. Each is "
                f"counted once with its copies, by the highest score among them; {item.count:,} differ."
            )
        elif item.blocks is not None and copied_samples:
            caveats.append(
                f"{copied_samples:,} of the {len(item.units):,} {item.role} samples are copies of others, exact or "
                "nearly so. Blocks that share only some of their samples are counted separately: check that they are "
                "independent."
            )
    return caveats


def group_caveats(config: CalibrationConfig, normal: ScoredSet, outcomes: np.ndarray) -> list[str]:
    """Groups of normal samples that are rejected more often than guaranteed."""
    if config.block is not None:
        return []
    return [
        f"Uneven: normal samples with {item.column} = {item.value} were rejected at a rate of {item.alarms}. The "
        f"guarantee is for all samples together, not for this group; --group {item.column} calibrates each group "
        "separately."
        for item in differing_groups(normal.samples, outcomes == REJECT, config.guarantee.false_alarm)
        if item.column != config.group
    ]
