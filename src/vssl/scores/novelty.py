"""Novelty: the default score; unlike the nearest known samples as a whole, in some patches, or in its raw descriptor.

The mean of three scores, each as a logarithm on a scale on which the median of known samples is 0 and their 95th
percentile 1. `knn` on the latent means sees small differences of the whole, and is blind to gross ones that the views
taught the encoder to ignore (a black picture). `patches`, where there are patch features, sees small defects.
`mahalanobis` needs no encoder: it compares the raw descriptor of the sample, or the features where there is none. A
sample that is far out by one of them counts as novel whatever the others say. Measured in
`benchmarks/quality/infrared_decide.py` and
`benchmarks/quality/series.py`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import DataError
from vssl.scores import knn, mahalanobis, patch_memory, patches
from vssl.scores.base import Score, ScoreConfig
from vssl.types import Embeddings

MIN_BANK = 8
MIN_SCORE = 1e-9
# A copy of a known sample is at distance 0; without a floor its logarithm would outweigh the other scores.
LOG_FLOOR = -2.0
# So much above the mean, one score alone decides: a blank picture is near to many samples in the latent space.
OVERRIDE_MARGIN = 2.0


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Distance to the nearest samples of the bank, of the worst patches to theirs, and of the raw sample to a Gaussian.

    Attributes:
        neighbours: How many, 1 or more.
    """

    columns = ("mean",)
    meaning = "Distance from the known samples: of the whole, of the worst patches and of the raw sample together."

    neighbours: int = 5

    def __post_init__(self) -> None:
        knn.Config(self.neighbours)

    def condense(self, bank: Embeddings) -> Embeddings:
        return patch_memory.Config().condense(bank) if "dense_patches" in bank else bank


# A sample cannot be left out of the scales that the bank gives.
EVALUATED: dict[str, ScoreConfig] = {}


def fit(config: Config, bank: Embeddings) -> Score:
    """Fit the scores, and their scales: the scores of one half of the bank, fitted to the other half."""
    if len(bank) < MIN_BANK:
        raise DataError(f"The bank has {len(bank)} samples; novelty needs at least {MIN_BANK}.")
    order = np.argsort(np.array(bank.ids, dtype=object), kind="stable")
    first, second = (bank.take(order[start::2]) for start in (0, 1))
    parts, scores = _parts(config, bank), [score(second) for score in _parts(config, first)]
    if "dense_patches" in bank or "patch_memory" in bank:
        memory = patch_memory.Config()
        bank = memory.condense(bank)
        own = bank.numpy("patch_memory_score")
        parts, scores = [*parts, patch_memory.fit(memory, bank)], [*scores, own[np.isfinite(own)]]
    scales = [_scale(np.log(values.clip(MIN_SCORE))) for values in scores]
    columns = tuple(dict.fromkeys(name for part in parts for name in part.columns))
    anomaly_map = next((part.anomaly_map for part in reversed(parts) if part.anomaly_map is not None), None)
    return Score(columns, Novelty(parts, scales, columns), anomaly_map=anomaly_map)


def _parts(config: Config, bank: Embeddings) -> list[Score]:
    raw = mahalanobis.Config("raw_descriptor" if "raw_descriptor" in bank else "features")
    parts = [knn.fit(knn.Config(config.neighbours, "mean"), bank), mahalanobis.fit(raw, bank)]
    return [*parts, patches.fit(patches.Config(), bank)] if "patch_features" in bank else parts


def _scale(log_scores: Float[np.ndarray, " n"]) -> tuple[float, float]:
    median, high = np.quantile(log_scores, [0.5, 0.95])
    return float(median), max(float(high - median), MIN_SCORE)


class Novelty(nn.Module):
    """Holds the scores, with the median and the width of the scale of each."""

    def __init__(self, parts: list[Score], scales: list[tuple[float, float]], columns: tuple[str, ...]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(part.module for part in parts)
        self.scales = scales
        self.inputs = [[columns.index(name) for name in part.columns] for part in parts]

    def forward(self, *columns: Tensor) -> Float[Tensor, " B"]:
        scaled = []
        for part, rows, (median, width) in zip(self.parts, self.inputs, self.scales, strict=True):
            log_score = part(*(columns[row] for row in rows)).clamp(min=MIN_SCORE).log()
            scaled.append(((log_score - median) / width).clamp(min=LOG_FLOOR))
        scores = torch.stack(scaled)
        return torch.maximum(scores.mean(0), scores.amax(0) - OVERRIDE_MARGIN)
