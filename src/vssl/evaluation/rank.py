"""Rank: how many directions of the feature space are in use? Needs no labels; a collapsed encoder shows here first.

Effective rank: Roy and Vetterli, "The effective rank" (EUSIPCO 2007).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from vssl.evaluation.base import Evidence, Skip
from vssl.stats.rank import dimension_std, effective_rank

NEEDS: frozenset[str] = frozenset()


def run(evidence: Evidence) -> Iterator[tuple[str, float | Skip]]:
    """Yield the effective rank, the least and median deviation per dimension, and the first component's share."""
    features = evidence.query.torch("features").double()
    deviation = dimension_std(features)
    effective = float(effective_rank(features))
    yield "rank/effective_rank", effective
    yield "rank/std_min", float(deviation.min())
    yield "rank/std_median", float(deviation.median())
    if effective == 0:
        yield "rank/first_component_share", Skip("all features are equal: the encoder has collapsed")
        return
    centred = features - features.mean(dim=0)
    largest = torch.linalg.eigvalsh(centred.mT @ centred)[-1]
    yield "rank/first_component_share", float(largest / centred.square().sum())
