"""Patch distance: patches of an image, or spans of a time series, unlike all those of the nearest known samples.

Each patch is compared with the same one and its 8 neighbours in the nearest samples of the bank, by the cosine of early
feature maps; the sample's score is the mean of the worst twentieth of its patches. A memory of known patches is the
idea of PatchCore (Roth et al. 2022, arXiv 2106.08265); here it is local, and learned from the data at hand.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int8, Int64
from torch import Tensor, nn

from vssl.errors import ConfigError, DataError
from vssl.scores.base import AnomalyMap, Score, ScoreConfig
from vssl.types import Embeddings

# The score is the mean over the worst twentieth of the patches.
TOP_FRACTION = 20
# The distance of a patch is the mean over its three nearest patches.
K_PATCHES = 3


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Worst patches of a sample, compared with those of the nearest samples of the bank.

    Attributes:
        neighbours: How many samples of the bank each is compared with, 1 or more.
    """

    columns = ("features", "patch_features")
    meaning = "Mean distance of the worst twentieth of the patches to those of the nearest known samples."

    neighbours: int = 16

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ConfigError(f"patches.neighbours is {self.neighbours}; it must be 1 or more.")


# Its neighbours are samples of the bank with all their patches, which the search of an evaluation does not give.
EVALUATED: dict[str, ScoreConfig] = {}


def fit(config: Config, bank: Embeddings) -> Score:
    patch_distances = anomaly_map(config, bank)
    return Score(config.columns, WorstPatches(patch_distances.module), anomaly_map=patch_distances)


def anomaly_map(config: Config, bank: Embeddings) -> AnomalyMap:
    """The distance of each patch to the patches of the bank: 1 - cosine, in 0..2.

    Raises:
        ConfigError: The embeddings have no patch features.
        DataError: The bank is empty.
    """
    if "patch_features" not in bank:
        raise ConfigError(
            "The run's encoder has no feature maps, so there are no patches. Use another score, such as knn."
        )
    if not len(bank):
        raise DataError("The bank is empty.")
    module = PatchKNN(bank.torch("features"), bank.torch("patch_features"), config.neighbours)
    return AnomalyMap(config.columns, module)


class WorstPatches(nn.Module):
    """The mean distance of the worst patches of each sample."""

    def __init__(self, distances: nn.Module) -> None:
        super().__init__()
        self.distances = distances

    def forward(self, features: Float[Tensor, "B F"], patches: Int8[Tensor, "B h w d"]) -> Float[Tensor, " B"]:
        distances: Tensor = self.distances(features, patches).flatten(1)
        return distances.topk(max(1, distances.shape[1] // TOP_FRACTION)).values.mean(1).double()


class PatchKNN(nn.Module):
    """The distance of each patch to those of the nearest samples of the bank: 1 - cosine, in 0..2."""

    def __init__(self, features: Float[Tensor, "N F"], patches: Int8[Tensor, "N h w d"], neighbours: int) -> None:
        super().__init__()
        self.neighbours = min(neighbours, len(features))
        self.grid = tuple(patches.shape[1:3])
        self.known = nn.Buffer(F.normalize(features.float()))
        self.patches = nn.Buffer(patches)
        around = _around(*self.grid)
        self.inside = nn.Buffer((around >= 0).float())
        self.around = nn.Buffer((torch.arange(len(around))[:, None] * len(around) + around.clamp(min=0)).flatten())

    def forward(self, features: Float[Tensor, "B F"], patches: Int8[Tensor, "B h w d"]) -> Float[Tensor, "B h w"]:
        near = (F.normalize(features.float()) @ self.known.T).topk(self.neighbours).indices
        known = _directions(self.patches[near]).flatten(1, 2)
        # All pairs of patches are one matrix product; then those around each patch are picked.
        cosine: Tensor = (_directions(patches) @ known.mT).unflatten(2, (self.neighbours, -1)).transpose(1, 2)
        around = cosine.flatten(2)[:, :, self.around].unflatten(2, self.inside.shape) * self.inside
        candidates = around.transpose(1, 2).flatten(2)
        nearest = candidates.topk(min(K_PATCHES, candidates.shape[2])).values
        distances: Tensor = (1 - nearest.mean(2)).unflatten(1, self.grid)
        return distances


def _directions(values: Int8[Tensor, "*N h w d"]) -> Float[Tensor, "*N p d"]:
    return F.normalize(values.float().flatten(-3, -2), dim=-1)


def _around(rows: int, columns: int) -> Int64[Tensor, "p s"]:
    """For each patch the numbers of itself and of its neighbours, up to 8; -1 beyond the edge."""
    numbers = torch.arange(rows * columns).view(1, rows, columns).float() + 1
    height = 3 if rows > 1 else 1
    return F.unfold(numbers[None], (height, 3), padding=(height // 2, 1))[0].T.long() - 1
