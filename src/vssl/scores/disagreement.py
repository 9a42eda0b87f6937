"""Disagreement: how far the features of several views of a sample differ; 1 - their mean cosine, in 0..2.

The views are the augmentations of the training, so it measures how much the embedding depends on what should not
matter. It needs no learned variance, only several times the work.
"""

from dataclasses import dataclass

from vssl.errors import ConfigError
from vssl.scores.base import Column, Pairs, Score
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config(Pairs):
    """1 - mean cosine of the features of several views; it needs no bank."""

    columns = ("disagreement",)
    meaning = "1 - the mean cosine of the features of several augmented views of the sample."


EVALUATED = {"disagreement": Config()}


def fit(_config: Config, bank: Embeddings) -> Score:
    if "disagreement" not in bank:
        raise ConfigError("The bank was embedded without views to compare: embed it again with --view-pairs 2.")
    return Score(("disagreement",), Column())
