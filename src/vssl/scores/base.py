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
class Score:
    """A score that knows its reference bank: the embeddings of data that are taken as known.

    Attributes:
        columns: Columns of the embeddings that it reads.
        module: From these columns as tensors [B, ...] to one number a sample [B], higher is worse. It stands by itself,
            so that it can be part of an exported model.
    """

    columns: tuple[str, ...]
    module: nn.Module

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, " N"]:
        """One number a sample, in float64; higher is worse; the same to the last bit alone and among others."""
        columns = [samples.torch(name) for name in self.columns]
        return by_blocks(lambda *block: {"score": self.module(*block).double()}, columns)["score"].numpy()


class Column(nn.Module):
    """The score that is a column of the embeddings already."""

    def forward(self, column: Float[torch.Tensor, " B"]) -> Float[torch.Tensor, " B"]:
        return column.double()
