"""Novelty: the default score; unlike the known samples as a whole, in some patches, or in its raw descriptor.

The mean of several distances, each as a logarithm on a scale on which the median of known samples is 0 and their 95th
percentile 1; plus the log-odds of the discriminator on such a scale. `knn` on the latent means sees small differences
of the whole, and is blind to gross ones that the views taught the encoder to ignore (a black picture). `mahalanobis`
needs no encoder: it compares the raw descriptor of the sample, or the features where there is none. `patches` sees
small defects by the nearest samples, `patch_memory` at the resolution of the feature maps; `discriminator` sees what
looks like a synthetic anomaly. Each is there where the embeddings have its columns. A sample that is far out by one
distance counts as novel whatever the others say. The discriminator counts as much as all distances together: on some
products it alone tells defects, on others the distances do. Measured in `benchmarks/quality/inspection.py` and
`series.py`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import DataError
from vssl.scores import discriminator, knn, mahalanobis, patch_memory, patches
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
    parts, known = _parts(config, bank), [score(second) for score in _parts(config, first)]
    if "dense_patches" in bank or "patch_memory" in bank:
        memory = patch_memory.Config()
        bank = memory.condense(bank)
        own = bank.numpy("patch_memory_score")
        parts, known = [*parts, patch_memory.fit(memory, bank)], [*known, own[np.isfinite(own)]]
    scales = [_scale(np.log(scores.clip(MIN_SCORE))) for scores in known]
    logits = None
    if "discriminator_logits" in bank:
        logits = discriminator.fit(discriminator.Config(), bank)
        parts, scales = [*parts, logits], [*scales, _scale(logits(bank))]
    columns = tuple(dict.fromkeys(name for part in parts for name in part.columns))
    maps = [part.anomaly_map for part in parts if part is not logits and part.anomaly_map is not None]
    module = Novelty(parts, scales, columns, distances=len(parts) - (logits is not None))
    return Score(columns, module, anomaly_map=maps[-1] if maps else None)


def _parts(config: Config, bank: Embeddings) -> list[Score]:
    raw = mahalanobis.Config("raw_descriptor" if "raw_descriptor" in bank else "features")
    parts = [knn.fit(knn.Config(config.neighbours, "mean"), bank), mahalanobis.fit(raw, bank)]
    return [*parts, patches.fit(patches.Config(), bank)] if "patch_features" in bank else parts


def _scale(scores: Float[np.ndarray, " n"]) -> tuple[float, float]:
    median, high = np.quantile(scores, [0.5, 0.95])
    return float(median), max(float(high - median), MIN_SCORE)


class Novelty(nn.Module):
    """Holds the scores, with the median and the width of the scale of each; the first `distances` are distances."""

    def __init__(
        self, parts: list[Score], scales: list[tuple[float, float]], columns: tuple[str, ...], distances: int
    ) -> None:
        super().__init__()
        self.distances = distances
        self.parts = nn.ModuleList(part.module for part in parts)
        self.scales = scales
        self.inputs = [[columns.index(name) for name in part.columns] for part in parts]

    def forward(self, *columns: Tensor) -> Float[Tensor, " B"]:
        scaled = []
        for number, (part, rows, (median, width)) in enumerate(zip(self.parts, self.inputs, self.scales, strict=True)):
            score = part(*(columns[row] for row in rows))
            if number < self.distances:
                score = score.clamp(min=MIN_SCORE).log()
            scaled.append(((score - median) / width).clamp(min=LOG_FLOOR))
        of_distances = torch.stack(scaled[: self.distances])
        novelty = torch.maximum(of_distances.mean(0), of_distances.amax(0) - OVERRIDE_MARGIN)
        return torch.stack([novelty, *scaled[self.distances :]]).sum(0)
