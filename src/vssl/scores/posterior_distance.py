"""Posterior distance: the distances to the nearest known sample together with the distance that the encoder expects.

The mean of ln (1 - cosine) of the features, the same of the latent means, and the ambiguity (extension). All three
estimate the log of the squared distance between a sample and the samples that it must be separated from; the first
two from the one neighbour that was found, the third from everything that the encoder has seen. The mean of several
estimates is better than each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score, ScoreConfig
from vssl.scores.neighbours import NeighbourSearch
from vssl.types import Embeddings

# Copies of one sample are at distance 0 up to rounding, which has no logarithm.
MIN_DISTANCE = 1e-6
SPACES: tuple[Literal["features"], Literal["mean"]] = ("features", "mean")


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Mean of the log-distances to the nearest sample of the bank, in both spaces, and the ambiguity."""

    columns = (*SPACES, "ambiguity")
    learned = True
    meaning = "The ambiguity averaged with the log-distances to the nearest neighbour by features and by latent means."


EVALUATED = {"posterior_distance": Config()}


def fit(config: Config, bank: Embeddings) -> Score:
    if "ambiguity" not in bank:
        raise ConfigError(
            "The run has no variance (its method has none, or nothing was trained), so there is no posterior distance. "
            "Use another score, such as knn."
        )
    if not len(bank):
        raise DataError("The bank is empty.")
    return Score(config.columns, PosteriorDistance(*map(bank.torch, SPACES)), _from_neighbours)


def _from_neighbours(samples: Embeddings, search: NeighbourSearch) -> Float[np.ndarray, " N"]:
    cosines = [search(space, 1).similarity[:, 0] for space in SPACES]
    return _combined(cosines, samples.torch("ambiguity")).numpy()


class PosteriorDistance(nn.Module):
    """Holds the directions of the bank in both spaces."""

    def __init__(self, features: Float[Tensor, "N F"], mean: Float[Tensor, "N D"]) -> None:
        super().__init__()
        self.features = nn.Buffer(F.normalize(features.float()))
        self.mean = nn.Buffer(F.normalize(mean.float()))

    def forward(
        self, features: Float[Tensor, "B F"], mean: Float[Tensor, "B D"], ambiguity: Float[Tensor, " B"]
    ) -> Float[Tensor, " B"]:
        pairs = ((features, self.features), (mean, self.mean))
        return _combined([(F.normalize(vectors.float()) @ bank.T).amax(1) for vectors, bank in pairs], ambiguity)


def _combined(cosines: Sequence[Float[Tensor, " B"]], ambiguity: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    log_distances = [(1 - cosine.double()).clamp(min=MIN_DISTANCE).log() for cosine in cosines]
    return (torch.stack(log_distances).sum(0) + ambiguity.double()) / 3
