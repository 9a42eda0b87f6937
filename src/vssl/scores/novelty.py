"""Novelty: unlike the nearest known samples, unlike them at some place, or plainly unlike all of them.

The mean of three scores, each as a logarithm on a scale on which the median of known samples is 0 and their 95th
percentile 1. `knn` on the latent means sees small differences of the whole, and is blind to gross ones that the views
taught the encoder to ignore (a black picture). `patches`, where there are patch features, sees small defects.
`mahalanobis` asks no encoder: it compares the raw descriptor of the sample, or the features where there is none. A
sample that is far out by one of them is not saved by the others. Measured in `benchmarks/quality/infrared_decide.py`
and `benchmarks/quality/series.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import DataError
from vssl.scores import knn, mahalanobis, patches
from vssl.scores.base import Score
from vssl.types import Embeddings

FEWEST = 8
SMALLEST = 1e-9
# A copy of a known sample is at distance 0; however familiar it looks to one score, the other is to be heard.
LEAST = -2.0
# What is so far out by one score is novel whatever the others say: a blank picture is near to many in the latent space.
GROSS = 2.0


@dataclass(frozen=True)
class Config:
    """Distance to the nearest samples of the bank, at the worst places, and of the plain sample to a Gaussian.

    Attributes:
        neighbours: How many, 1 or more.
    """

    neighbours: int = 5

    def __post_init__(self) -> None:
        knn.Config(self.neighbours)


def fit(config: Config, bank: Embeddings) -> Score:
    """Fit the scores, and their scales: scores on one half of the bank by what the other half was fitted to."""
    if len(bank) < FEWEST:
        raise DataError(f"The bank has {len(bank)} samples; novelty needs at least {FEWEST}.")
    order = np.argsort(np.array(bank.ids, dtype=object), kind="stable")
    first, second = (bank.take(order[start::2]) for start in (0, 1))
    scales = [_scale(np.log(score(second).clip(SMALLEST))) for score in _parts(config, first)]
    parts = _parts(config, bank)
    columns = tuple(dict.fromkeys(name for part in parts for name in part.columns))
    anomaly_map = next((part.anomaly_map for part in parts if part.anomaly_map is not None), None)
    return Score(columns, Novelty(parts, scales, columns), anomaly_map)


def _parts(config: Config, bank: Embeddings) -> list[Score]:
    plain = mahalanobis.Config("raw_descriptor" if "raw_descriptor" in bank else "features")
    parts = [knn.fit(knn.Config(config.neighbours, "mean"), bank), mahalanobis.fit(plain, bank)]
    return [*parts, patches.fit(patches.Config(), bank)] if "patch_features" in bank else parts


def _scale(known: Float[np.ndarray, " n"]) -> tuple[float, float]:
    middle, high = np.quantile(known, [0.5, 0.95])
    return float(middle), max(float(high - middle), SMALLEST)


class Novelty(nn.Module):
    """Holds the scores, with the middle and the width of the scale of each."""

    def __init__(self, parts: list[Score], scales: list[tuple[float, float]], columns: tuple[str, ...]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(part.module for part in parts)
        self.scales = scales
        self.takes = [[columns.index(name) for name in part.columns] for part in parts]

    def forward(self, *columns: Tensor) -> Float[Tensor, " B"]:
        found = torch.stack(
            [
                ((part(*(columns[at] for at in take)).clamp(min=SMALLEST).log() - middle) / width).clamp(min=LEAST)
                for part, take, (middle, width) in zip(self.parts, self.takes, self.scales, strict=True)
            ]
        )
        return torch.maximum(found.mean(0), found.amax(0) - GROSS)
