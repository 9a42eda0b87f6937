"""What every encoder promises, whatever the data are."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from vssl.types import View


class Encoder(nn.Module, ABC):
    """A network from a view to one feature vector a sample.

    Attributes:
        features: F, the length of the feature vector.
    """

    features: int

    @abstractmethod
    def forward(self, view: View) -> Float[Tensor, "B F"]:
        """One feature vector a sample."""
