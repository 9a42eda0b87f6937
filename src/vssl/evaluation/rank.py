"""Effective rank: how many directions of the feature space are in use; without labels, the first sign of a collapse.

Effective rank: Roy and Vetterli, "The effective rank" (EUSIPCO 2007).
"""

from collections.abc import Iterator

import numpy as np
import torch

from vssl.evaluation.base import EvalData
from vssl.evaluation.metric import Metric, Skip
from vssl.stats.rank import dimension_std, effective_rank

NEEDS: frozenset[str] = frozenset()
METRICS = {
    "rank/effective_rank": Metric(
        "How many directions of the embedding are in use; near 1 the encoder has collapsed.",
        range=(0, np.inf),
        priority=8,
    ),
    "rank/std_min": Metric(
        "Standard deviation of the least used dimension; at 0 it carries no information.", range=(0, np.inf)
    ),
    "rank/std_median": Metric(
        "Median standard deviation of the dimensions, to compare the smallest one with.", "", (0, np.inf)
    ),
    "rank/first_component_share": Metric(
        "Share of the variance in the first principal component; near 1 the encoder has collapsed.", "lower"
    ),
}


def run(data: EvalData) -> Iterator[tuple[str, float | Skip]]:
    """Yield the effective rank, the standard deviations, and the share of the first principal component."""
    features = data.query.torch("features").double()
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
