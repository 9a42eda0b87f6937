"""The interfaces of encoders and decoders, and what a module of this folder must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.patch_statistics import PatchStatistics
from vssl.types import View


@runtime_checkable
class EncoderModule(Protocol):
    """A module of this folder, as `vssl.config.find("encoders", name)` returns it.

    Attributes:
        Config: Frozen dataclass of the settings. Its docstring is the help of the command line.
    """

    Config: type[Any]

    def build(self, config: Any, shape: Any) -> Encoder:
        """The network for samples of this shape, see `Modality.shape`; untrained weights from torch's generator."""


class Encoder(nn.Module, ABC):
    """A network from a view to one feature vector per sample.

    Attributes:
        features: F, the length of the feature vector.
        patch_statistics: Standardises the feature maps; empty before training has ended, and without feature maps.
    """

    features: int

    def __init__(self) -> None:
        super().__init__()
        self.patch_statistics = PatchStatistics()

    @abstractmethod
    def forward(self, view: View) -> Float[Tensor, "B F"]:
        """One feature vector per sample."""

    def forward_with_patches(self, view: View) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B C h w"] | None]:
        """The features, and raw feature maps of `h` x `w` patches; None where the encoder has no maps."""
        return self(view), None


class Decoder(nn.Module, ABC):
    """A network from a latent to a distribution over views.

    Attributes:
        dimensions: Number of values of a sample to which the likelihood refers; C H W for images.
    """

    dimensions: int

    @abstractmethod
    def log_likelihood(self, z: Float[Tensor, "B D"], view: View) -> Float[Tensor, " B"]:
        """ln p(view | z) of each sample, in nats."""
