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
from jaxtyping import Float, Int8
from torch import Tensor, nn

from vssl.embed import DEPTH, GRID
from vssl.errors import ConfigError, DataError
from vssl.scores.base import Score
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
    module = Nearby(bank.torch("features"), bank.torch("places"), config.neighbours)
    return Places(("features", "places"), module, BLOCK)


@dataclass(frozen=True)
class Places(Score):
    """The score, and where it comes from."""

    module: Nearby

    @torch.inference_mode()
    def heat(self, samples: Embeddings) -> Float[np.ndarray, "N h w"]:
        """How unlike known places each place is: 1 - cosine, in 0..2."""
        blocks = zip(*(samples.torch(name).split(self.block) for name in self.columns), strict=True)
        return torch.cat([self.module.heat(*block).double() for block in blocks]).numpy()


class Nearby(nn.Module):
    """Holds the bank: which samples are near, and what is where in them."""

    def __init__(self, features: Float[Tensor, "N F"], places: Int8[Tensor, "N P"], neighbours: int) -> None:
        super().__init__()
        self.neighbours = min(neighbours, len(features))
        self.known = nn.Buffer(F.normalize(features.float()))
        self.places = nn.Buffer(places)

    def forward(self, features: Float[Tensor, "B F"], places: Int8[Tensor, "B P"]) -> Float[Tensor, " B"]:
        return self.heat(features, places).flatten(1).topk(WORST).values.mean(1).double()

    def heat(self, features: Float[Tensor, "B F"], places: Int8[Tensor, "B P"]) -> Float[Tensor, "B h w"]:
        near = (F.normalize(features.float()) @ self.known.T).topk(self.neighbours).indices
        around = _around(_directions(self.places[near.flatten()]))
        return _unlike(_directions(places), around.view(*near.shape, DEPTH, 9, GRID, GRID))


def _directions(values: Int8[Tensor, "N P"]) -> Float[Tensor, "N d h w"]:
    return F.normalize(values.float().view(-1, GRID, GRID, DEPTH), dim=3).movedim(3, 1)


def _around(grid: Float[Tensor, "N d h w"]) -> Float[Tensor, "N d*9 h*w"]:
    """Each place and its 8 neighbours; zeros beyond the edge."""
    return F.unfold(grid, 3, padding=1)


def _unlike(own: Float[Tensor, "N d h w"], around: Float[Tensor, "N k d s h w"]) -> Float[Tensor, "N h w"]:
    cosine = torch.einsum("ndhw,nkdshw->nkshw", own, around).flatten(1, 2)
    return 1 - cosine.topk(min(LIKE, cosine.shape[1]), dim=1).values.mean(1)
