"""What every score promises, whatever the data are."""

from __future__ import annotations

from typing import Any, Protocol

from jaxtyping import Float
from numpy import ndarray

from vssl.types import Embeddings


def pairs_of(config: Any) -> int:
    """How many pairs of views of each sample have to be compared for a score of this configuration; 0 for most."""
    return getattr(config, "pairs", 0)


class Score(Protocol):
    """A score that knows its reference bank: the embeddings of data that are taken as known."""

    def __call__(self, samples: Embeddings) -> Float[ndarray, " N"]:
        """One number a sample, in float64; higher is worse."""
