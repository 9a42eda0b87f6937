"""Ambiguity: how far the encoder itself finds the latent undetermined; the mean log-variance in nats.

It asks "could I decide among what I know?", not "have I seen this before?": it is neither a novelty nor a defect score.
"""

from dataclasses import dataclass

from vssl.errors import ConfigError
from vssl.scores.base import Column, Score, ScoreConfig
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Mean log-variance of the posterior; it needs no bank."""

    columns = ("ambiguity",)
    learned = True
    uses_bank = False
    meaning = "The mean log-variance that the encoder predicts, in nats."


EVALUATED = {"ambiguity": Config()}


def fit(_config: Config, bank: Embeddings) -> Score:
    if "ambiguity" not in bank:
        raise ConfigError(
            "The run has no variance (its method has none, or nothing was trained), so there is no ambiguity. "
            "Use another score, such as knn."
        )
    return Score(("ambiguity",), Column())
