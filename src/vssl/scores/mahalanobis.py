"""Mahalanobis distance: the squared distance to the mean of one Gaussian that is fitted to the bank.

Lee et al. 2018 (arXiv 1807.03888) fit one mean per class; without labels there is one. The covariance is shrunk (Ledoit
and Wolf 2004), so that it can be inverted with fewer samples than features.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score, ScoreConfig
from vssl.stats.blocks import one_thread
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Squared Mahalanobis distance to one Gaussian fitted to the bank.

    Attributes:
        space: The vectors to compare: features, or raw_descriptor for a coarse summary of the raw sample.
    """

    space: Literal["features", "raw_descriptor"] = "features"

    @property
    def columns(self) -> tuple[str]:
        return (self.space,)

    @property
    def meaning(self) -> str:
        of = "features" if self.space == "features" else "raw samples"
        return f"Squared Mahalanobis distance of the {of} to one Gaussian fitted to the known samples."


EVALUATED = {"mahalanobis": Config()}


@one_thread()
def fit(config: Config, bank: Embeddings) -> Score:
    if len(bank) < 2:
        raise DataError("One sample has no covariance; the bank needs at least two.")
    if config.space not in bank:
        raise ConfigError(f"These embeddings have no {config.space}: use --space features.")
    # Imported late: scikit-learn takes long to import, and every command imports the settings of all scores.
    from sklearn.covariance import LedoitWolf

    gaussian = LedoitWolf().fit(bank.numpy(config.space).astype(np.float64))
    return Score(config.columns, Mahalanobis(gaussian.location_, gaussian.precision_))


class Mahalanobis(nn.Module):
    """Holds the mean and the inverse covariance of the fitted Gaussian."""

    def __init__(self, mean: Float[np.ndarray, " F"], precision: Float[np.ndarray, "F F"]) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.from_numpy(mean))
        self.precision = nn.Buffer(torch.from_numpy(precision))

    def forward(self, vectors: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
        centred = vectors.double() - self.mean
        return ((centred @ self.precision) * centred).sum(1)
