"""The interfaces of encoders and decoders, and what a module of this folder must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.patch_discriminator import PatchDiscriminator
from vssl.encoders.patch_statistics import PatchStatistics
from vssl.encoders.weights import Weights
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
        patch_channels: C, the number of channels of the feature maps; 0 where the encoder has no maps.
        patch_statistics: Standardises the feature maps; empty before training has ended, and without feature maps.
        pretrained: Whether the initial weights come from a training on other data.
        weights: The pretrained weights that training starts from; None for random ones.
        patch_discriminator: Tells altered patches by the raw feature maps; training fits it at its end.
    """

    features: int
    patch_channels: int = 0
    pretrained: bool = False
    weights: Weights | None = None

    def __init__(self) -> None:
        super().__init__()
        self.patch_statistics = PatchStatistics()
        self.patch_discriminator = PatchDiscriminator()

    @abstractmethod
    def forward(self, view: View) -> Float[Tensor, "B F"]:
        """One feature vector per sample."""

    def forward_with_patches(self, view: View) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B C h w"] | None]:
        """The features, and raw feature maps of `h` x `w` patches; None where the encoder has no maps."""
        return self(view), None

    def set_normalisation(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Learn how the modality normalises its views, which an encoder with pretrained weights must convert.

        Args:
            mean, std: Mean and standard deviation of each channel; see `Modality.normalisation`.
        """

    def load_pretrained(self) -> None:
        """Load the pretrained weights that the settings name, for a training that starts from them.

        A trained run is loaded without them: it keeps all its weights.

        Raises:
            ConfigError: The weights cannot be found, or are of another network.
        """

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """The parameters of each stage, from the input to the output; by default one stage per child module."""
        modules: list[nn.Module] = []
        for child in self.children():
            modules += child.children() if isinstance(child, nn.Sequential | nn.ModuleList) else [child]
        return [parameters for module in modules if (parameters := list(module.parameters()))]


class Decoder(nn.Module, ABC):
    """A network from a latent to a distribution over views.

    Attributes:
        dimensions: Number of values of a sample to which the likelihood refers; C H W for images.
    """

    dimensions: int

    @abstractmethod
    def log_likelihood(self, z: Float[Tensor, "B D"], view: View) -> Float[Tensor, " B"]:
        """ln p(view | z) of each sample, in nats."""
