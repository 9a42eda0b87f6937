"""Discriminator: patches of a picture that look altered, by a network that was trained on synthetic anomalies.

It needs no bank. It sees what the kinds of synthetic anomaly resemble (breaks, scratches, spots, patches from
elsewhere) also where no place of a picture has a fixed content; a distance to known patches sees the unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from vssl.errors import ConfigError
from vssl.scores.base import AnomalyMap, Score, ScoreConfig
from vssl.types import Embeddings

TOP = 3
"""Patches whose mean is the score. A defect of few pixels lies in one to four patches, in pictures of any size."""


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Mean log-odds of the 3 patches that most likely were altered; it needs no bank."""

    columns = ("discriminator_logits",)
    uses_bank = False
    meaning = (
        "Mean log-odds of the 3 patches that most likely were altered, by a network trained on synthetic anomalies."
    )


# Evaluations compare scores of whole samples.
EVALUATED: dict[str, ScoreConfig] = {}


def fit(config: Config, bank: Embeddings) -> Score:
    """The score, with its anomaly map.

    Raises:
        ConfigError: The run has no discriminator.
    """
    if "discriminator_logits" not in bank:
        raise ConfigError(
            "The run has no discriminator: it is trained on images with other --views than natural, without "
            "tiles, at least 16 of them, by encoders with feature maps. Use another score, such as patches."
        )
    return Score(config.columns, LargestLogits(), anomaly_map=AnomalyMap(config.columns, Logits()))


class LargestLogits(nn.Module):
    """The mean of the largest log-odds of each sample."""

    def forward(self, logits: Float[Tensor, "B h w"]) -> Float[Tensor, " B"]:
        patches = logits.double().flatten(1)
        largest: Tensor = patches.topk(min(TOP, patches.shape[1])).values.mean(1)
        return largest


class Logits(nn.Module):
    """The log-odds as numbers of 32 bits."""

    def forward(self, logits: Float[Tensor, "B h w"]) -> Float[Tensor, "B h w"]:
        return logits.float()
