"""Ambiguity: how far the encoder itself says that the latent is undetermined, the mean log-variance in nats.

It asks "could I decide among what I know?", not "have I seen this before?": no novelty, and no defect score.
"""

from __future__ import annotations

from dataclasses import dataclass

from vssl.errors import ConfigError
from vssl.scores.base import Column, Score
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config:
    """Mean log-variance of the posterior; it needs no bank."""


def fit(_config: Config, bank: Embeddings) -> Score:
    if "ambiguity" not in bank:
        raise ConfigError(
            "The run's method has no variance, so there is no ambiguity. Take another score, such as knn."
        )
    return Score(("ambiguity",), Column())
