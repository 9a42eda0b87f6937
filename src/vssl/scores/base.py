"""What every score promises, whatever the data are."""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Float
from numpy import ndarray

from vssl.types import Embeddings


class Score(Protocol):
    """A score that knows its reference bank: the embeddings of data that are taken as known."""

    def __call__(self, samples: Embeddings) -> Float[ndarray, " N"]:
        """One number a sample, in float64; higher is worse."""
