"""Feature norm: the negative Euclidean norm of the features; encoders tend to give short features to odd samples.

A baseline that needs neither a variance nor a bank.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vssl.scores.base import Score, ScoreConfig
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Negative Euclidean norm of the features; it needs no bank."""

    columns = ("features",)
    uses_bank = False
    meaning = "The negative Euclidean norm of the features."


EVALUATED = {"feature_norm": Config()}


def fit(_config: Config, _bank: Embeddings) -> Score:
    return Score(("features",), FeatureNorm())


class FeatureNorm(nn.Module):
    """Minus the length of a vector."""

    def forward(self, features: Float[Tensor, "B F"]) -> Float[Tensor, " B"]:
        norm: Tensor = torch.linalg.vector_norm(features.double(), dim=1)
        return -norm
