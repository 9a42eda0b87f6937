"""ELBO gap: how badly the views of a sample explain each other, minus the paired ELBO in nats per latent dimension.

The bound is Yavuz and Yanıkoğlu's (arXiv 2504.04318) of one view given the other: the denoising log-likelihood less the
KL to the prior that the teacher makes from the other view; here its mean over several pairs and both directions.
"""

from __future__ import annotations

from dataclasses import dataclass

from vssl.errors import ConfigError
from vssl.scores.base import Column, Score
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config:
    """Minus the self-supervised ELBO of pairs of views; it needs no bank.

    Attributes:
        pairs: Pairs of views of each sample, 1 or more; each takes as long as two embeddings.
    """

    pairs: int = 2

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ConfigError(f"elbo_gap.pairs is {self.pairs}; it must be 1 or more.")


def fit(_config: Config, bank: Embeddings) -> Score:
    if "elbo_gap" not in bank:
        raise ConfigError(
            "There is no ELBO gap: the run's method has no such bound, or the bank was embedded without views to "
            "compare (--pairs 2). Take another score, such as novelty."
        )
    return Score(("elbo_gap",), Column())
