"""What every encoder and every decoder guarantees, whatever the data are."""

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

    def forward_with_patches(self, view: View) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B C h w"] | None]:
        """The features, and early feature maps that say what is where; None where an encoder has none."""
        return self(view), None


class Decoder(nn.Module, ABC):
    """A network from a latent to a distribution over views, which says how likely a given view is.

    Attributes:
        dimensions: Values of one sample that the likelihood is of; images: C H W.
    """

    dimensions: int

    @abstractmethod
    def log_likelihood(self, z: Float[Tensor, "B D"], view: View) -> Float[Tensor, " B"]:
        """ln p(view | z) of each sample, in nats."""
