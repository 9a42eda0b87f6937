"""What every score declares and guarantees, whatever kind of data it scores."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from vssl.config import find, members, name_of
from vssl.errors import ConfigError
from vssl.stats.blocks import ROWS, by_blocks
from vssl.types import Embeddings

if TYPE_CHECKING:
    from vssl.scores.neighbours import NeighbourSearch


LARGEST_BLOCK = 2**17
"""Patches, or other values along two axes, that are scored at once, at most."""


class ScoreConfig(ABC):
    """Settings of a score, and what the score declares about itself; the `Config` of each score is one.

    Attributes:
        direction: How to read the score; the same for all.
        learned: Whether it uses the variance that the encoder has learned. All other scores are baselines for these.
        uses_bank: Whether it depends on the bank; if not, it is a function of the sample alone.
    """

    direction = "higher is worse"
    learned = False
    uses_bank = True

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Columns of the embeddings without which the score cannot be computed."""

    @property
    @abstractmethod
    def meaning(self) -> str:
        """What the score measures, in one sentence."""

    def condense(self, bank: Embeddings) -> Embeddings:
        """The bank as it is stored with a policy, without the dense patches, which take most of the space."""
        return Embeddings(bank.table.drop_columns("dense_patches")) if "dense_patches" in bank else bank


@dataclass(frozen=True)
class Pairs(ScoreConfig):
    """Settings of a score that compares views of a sample.

    Attributes:
        pairs: View pairs per sample, 1 or more; each takes as long as two embeddings.
    """

    uses_bank = False
    pairs: int = 2

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ConfigError(f"{name_of(self)}.pairs is {self.pairs}; it must be 1 or more.")


def pairs_of(config: Any) -> int:
    """The number of view pairs per sample that a score of this configuration compares; 0 for most."""
    return config.pairs if isinstance(config, Pairs) else 0


@dataclass(frozen=True)
class AnomalyMap:
    """An anomaly map: where in a sample a score comes from.

    Attributes:
        columns: Columns of the embeddings that it reads.
        module: From these columns as tensors [B, ...] to one number per patch [B, h, w], higher is worse; part of an
            exported model, like that of a score.
        colours: Where the colours of a map begin and end; None to take quantiles of normal samples.
    """

    columns: tuple[str, ...]
    module: nn.Module
    colours: tuple[float, float] | None = None

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, "N h w"]:
        """One number per patch, in float64; higher is worse; the same to the last bit alone and among others."""
        columns = [samples.torch(name) for name in self.columns]
        return by_blocks(lambda *block: {"map": self.module(*block).double()}, columns, rows_of(columns))["map"].numpy()

    def colour_range(self, normals: Embeddings) -> tuple[float, float]:
        """Where the colours of a map begin and end: quantiles 0.95 and 0.999 of the patches of normal samples."""
        if self.colours is not None:
            return self.colours
        low, high = np.quantile(self(normals), [0.95, 0.999])
        return float(low), max(float(high), float(low) + 1e-6)


@dataclass(frozen=True)
class Score:
    """A score, fitted to its bank: the embeddings of samples that are taken as known.

    Attributes:
        columns: Columns of the embeddings that it reads.
        module: From these columns as tensors [B, ...] to one number per sample [B], higher is worse. It needs nothing
            else, so that it can be part of an exported model.
        from_neighbours: The same score from the nearest neighbours of samples [N] instead, where it depends on the
            bank through these alone. So evaluation searches once for all scores, and can leave each sample out of its
            own bank.
        anomaly_map: Where in a sample the score comes from; None where it compares no patches.
    """

    columns: tuple[str, ...]
    module: nn.Module
    from_neighbours: Callable[[Embeddings, NeighbourSearch], Float[np.ndarray, " N"]] | None = None
    anomaly_map: AnomalyMap | None = None

    def __call__(self, samples: Embeddings) -> Float[np.ndarray, " N"]:
        """One number per sample, in float64; higher is worse; the same to the last bit alone and among others."""
        columns = [samples.torch(name) for name in self.columns]
        return by_blocks(lambda *block: {"score": self.module(*block).double()}, columns, rows_of(columns))[
            "score"
        ].numpy()


def fit(config: ScoreConfig, bank: Embeddings) -> Score:
    """Fit the score of this configuration to a bank.

    Raises:
        ConfigError: The embeddings have no column that it needs.
        DataError: The bank is too small.
    """
    fitted: Score = find("scores", name_of(config)).fit(config, bank)
    return fitted


def evaluated() -> dict[str, ScoreConfig]:
    """The settings of all scores that evaluators report, by the name in their figures; the learned ones first."""
    declared: Iterator[tuple[str, ScoreConfig]] = (
        item for name in members("scores") for item in find("scores", name).EVALUATED.items()
    )
    return dict(sorted(declared, key=lambda item: not item[1].learned))


def rows_of(columns: Sequence[torch.Tensor]) -> int:
    """Samples that are scored at once: fewer where a sample has many patches."""
    largest = max(math.prod(column.shape[1:3]) for column in columns)
    return max(1, min(ROWS, LARGEST_BLOCK // max(1, largest)))


class Column(nn.Module):
    """The score that is a column of the embeddings already."""

    def forward(self, column: Float[torch.Tensor, " B"]) -> Float[torch.Tensor, " B"]:
        return column.double()
