"""ELBO gap: how badly the views of a sample explain each other; minus the paired ELBO in nats per latent dimension.

The bound is Yavuz and Yanıkoğlu's (arXiv 2504.04318) of one view given the other: the denoising log-likelihood less the
KL to the prior that the teacher makes from the other view; here its mean over several pairs and both directions.
"""

from dataclasses import dataclass

from vssl.errors import ConfigError
from vssl.scores.base import Column, Pairs, Score
from vssl.types import Embeddings


@dataclass(frozen=True)
class Config(Pairs):
    """Minus the self-supervised ELBO of view pairs; it needs no bank."""

    columns = ("elbo_gap",)
    learned = True
    meaning = "Minus the self-supervised ELBO of several augmented views of the sample, in nats per latent dimension."


EVALUATED = {"elbo_gap": Config()}


def fit(_config: Config, bank: Embeddings) -> Score:
    if "elbo_gap" not in bank:
        raise ConfigError(
            "There is no ELBO gap: the run's method has no such bound, or the bank was embedded without views to "
            "compare (--view-pairs 2). Use another score, such as novelty."
        )
    return Score(("elbo_gap",), Column())
