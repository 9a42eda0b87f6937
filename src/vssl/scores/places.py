"""Novelty by places: the parts of an image that no place of the nearest known images looks like.

Each place is compared with the same one and its 8 neighbours in the nearest samples of the bank, by the cosine of early
feature maps; the sample's score is the mean of the worst twentieth of its places. A memory of known places is the idea
of PatchCore (Roth et al. 2022, arXiv 2106.08265); here it is local, and learned from the data at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vssl.embed import DEPTH, GRID
from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score
from vssl.scores.neighbours import neighbours
from vssl.types import Embeddings

BLOCK = 64
WORST = max(1, GRID * GRID // 20)
# A place is as familiar as the three places most like it.
LIKE = 3


@dataclass(frozen=True)
class Config:
    """Worst places of an image, beside those of the nearest images of the bank.

    Attributes:
        neighbours: How many images of the bank each is compared with, 1 or more.
    """

    neighbours: int = 16

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ConfigError(f"places.neighbours is {self.neighbours}; it must be 1 or more.")


def fit(config: Config, bank: Embeddings) -> Score:
    if "places" not in bank:
        raise ConfigError("The run's encoder has no feature maps, so there are no places. Take another score.")
    if not len(bank):
        raise DataError("The bank is empty.")
    return Places(config, bank)


@dataclass(frozen=True)
class Places:
    """Holds the bank."""

    config: Config
    bank: Embeddings

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, " N"]:
        return np.sort(self.heat(samples).reshape(len(samples), -1), axis=1)[:, -WORST:].mean(1)

    def heat(self, samples: Embeddings) -> Float[np.ndarray, "N h w"]:
        """How unlike known places each place is: 1 - cosine, in 0..2."""
        near = neighbours(samples, self.bank, self.config.neighbours, exclude_same_id=False).rows
        known, own = self.bank.numpy("places"), samples.numpy("places")
        found = [
            _unlike(_directions(own[start : start + BLOCK]), _around(known, near[start : start + BLOCK]))
            for start in range(0, len(samples), BLOCK)
        ]
        return torch.cat(found).double().numpy() if found else np.empty((0, GRID, GRID))


def _directions(values: np.ndarray) -> Float[Tensor, "N d h w"]:
    grid = torch.from_numpy(values.astype(np.float32)).view(-1, GRID, GRID, DEPTH)
    return F.normalize(grid, dim=3).movedim(3, 1)


def _around(known: np.ndarray, near: Int[Tensor, "N k"]) -> Float[Tensor, "N k d s h w"]:
    """The place and its 8 neighbours, s = 9, in each of the k near samples; zeros beyond the edge."""
    grid = _directions(known[near.flatten().numpy()])
    shifts = F.unfold(grid, 3, padding=1)
    return shifts.view(*near.shape, DEPTH, 9, GRID, GRID)


def _unlike(own: Float[Tensor, "N d h w"], around: Float[Tensor, "N k d s h w"]) -> Float[Tensor, "N h w"]:
    cosine = torch.einsum("ndhw,nkdshw->nkshw", own, around).flatten(1, 2)
    return 1 - cosine.topk(min(LIKE, cosine.shape[1]), dim=1).values.mean(1)
