"""What every score guarantees, whatever the data are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from vssl.config import name_of
from vssl.errors import ConfigError
from vssl.stats.blocks import by_blocks
from vssl.types import Embeddings


@dataclass(frozen=True)
class Pairs:
    """Of a score by comparing views of a sample.

    Attributes:
        pairs: Pairs of views of each sample, 1 or more; each takes as long as two embeddings.
    """

    pairs: int = 2

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ConfigError(f"{name_of(self)}.pairs is {self.pairs}; it must be 1 or more.")


def pairs_of(config: Any) -> int:
    """How many pairs of views of each sample have to be compared for a score of this configuration; 0 for most."""
    return config.pairs if isinstance(config, Pairs) else 0


@dataclass(frozen=True)
class AnomalyMap:
    """Where in a sample a score comes from.

    Attributes:
        columns: Columns of the embeddings that it reads.
        module: From these columns as tensors [B, ...] to one number per patch [B, h, w], higher is worse; part of an
            exported model, like that of a score.
    """

    columns: tuple[str, ...]
    module: nn.Module

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, "N h w"]:
        """One number per patch, in float64; higher is worse; the same to the last bit alone and among others."""
        columns = [samples.torch(name) for name in self.columns]
        return by_blocks(lambda *block: {"map": self.module(*block).double()}, columns)["map"].numpy()

    def colour_range(self, normals: Embeddings) -> tuple[float, float]:
        """Where the colour of a heat map begins and where it is full: quantiles 0.95 and 0.999 of normal patches."""
        low, high = np.quantile(self(normals), [0.95, 0.999])
        return float(low), max(float(high), float(low) + 1e-6)


@dataclass(frozen=True)
class Score:
    """A score that knows its reference bank: the embeddings of data that are taken as known.

    Attributes:
        columns: Columns of the embeddings that it reads.
        module: From these columns as tensors [B, ...] to one number a sample [B], higher is worse. It stands by itself,
            so that it can be part of an exported model.
        anomaly_map: Where in a sample the score comes from; None where it compares no patches.
    """

    columns: tuple[str, ...]
    module: nn.Module
    anomaly_map: AnomalyMap | None = None

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, " N"]:
        """One number a sample, in float64; higher is worse; the same to the last bit alone and among others."""
        columns = [samples.torch(name) for name in self.columns]
        return by_blocks(lambda *block: {"score": self.module(*block).double()}, columns)["score"].numpy()


class Column(nn.Module):
    """The score that is a column of the embeddings already."""

    def forward(self, column: Float[torch.Tensor, " B"]) -> Float[torch.Tensor, " B"]:
        return column.double()
