"""The encoder of the made-up modality: two layers on the values of a row."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from vssl.encoders.base import Encoder
from vssl.types import Series


@dataclass(frozen=True)
class Config:
    """A multilayer perceptron.

    Attributes:
        width: Number of features.
    """

    width: int = 32


class Mlp(Encoder):
    """Two layers."""

    def __init__(self, config: Config, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.features = config.width
        self.layers = nn.Sequential(nn.Linear(shape[0], config.width), nn.ReLU(), nn.Linear(config.width, config.width))

    def forward(self, view: Series) -> Float[Tensor, "B F"]:  # type: ignore[override]
        return self.layers(view.values[:, :, 0])


def build(config: Config, shape: tuple[int, ...]) -> Mlp:
    """The encoder for rows of this shape."""
    return Mlp(config, shape)
